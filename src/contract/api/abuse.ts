import { z } from 'zod'
import { Email, PageQuery, Time } from '../fields.ts'
import { operation } from '../operation.ts'

/** What a tunnel is told to do. */
export const abuseCategories = ['phishing', 'malware', 'spam', 'illegal', 'copyright', 'other'] as const

/** Of strangers: line ends stay, everything else that a terminal would take for a command goes. */
const strangersText = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .transform((text) => text.replace(/[^\n\P{C}]/gu, ' ').toWellFormed())

export const AbuseReport = z
  .strictObject({
    id: z.string(),
    url: z.string().meta({ description: 'As it was told' }),
    host: z.string(),
    category: z.enum(abuseCategories),
    message: z.string(),
    email: z.string().nullable().meta({ description: 'Of whoever told it, where they left it' }),
    address: z.string().meta({ description: 'Where it was told from' }),
    workspace: z.string().nullable().meta({ description: 'The slug of the workspace whose tunnel it was' }),
    suspended: z.boolean().meta({ description: 'That workspace is suspended at this moment' }),
    tunnel: z.string().nullable().meta({ description: 'Its name' }),
    state: z.enum(['open', 'closed']),
    note: z.string().nullable(),
    closedAt: Time.nullable(),
    createdAt: Time,
  })
  .meta({ id: 'AbuseReport' })

const base = { family: 'control', tag: 'Abuse' } as const

export const abuseOperations = {
  reportAbuse: operation({
    ...base,
    method: 'POST',
    path: '/abuse-reports',
    summary: 'Tell the people who run this installation of a tunnel that does harm; open to everybody',
    description: 'The answer is the same whether or not there is such a tunnel.',
    access: 'public',
    body: z.strictObject({
      url: strangersText(2000).meta({
        description: 'The address that was visited, or its host name',
        example: 'https://web.acme.example.org/login',
      }),
      category: z.enum(abuseCategories),
      message: strangersText(4000),
      email: Email.optional().meta({ description: 'Where questions can be asked' }),
    }),
    reply: z.strictObject({ id: z.string(), received: z.literal(true) }),
    errors: [],
  }),
  abuseReports: operation({
    ...base,
    method: 'GET',
    path: '/abuse-reports',
    summary: 'What was told of tunnels, newest first',
    access: 'instance',
    query: z.object({ state: z.enum(['open', 'closed']).optional(), ...PageQuery }),
    reply: z.strictObject({ reports: z.array(AbuseReport), nextCursor: z.string().nullable() }),
    errors: [],
  }),
  updateAbuseReport: operation({
    ...base,
    method: 'PATCH',
    path: '/abuse-reports/{report}',
    summary: 'Close a report, or open it again, and note what was done',
    access: 'instance',
    params: z.object({ report: z.string() }),
    body: z
      .strictObject({ state: z.enum(['open', 'closed']), note: strangersText(2000).nullable() })
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'say state or note'),
    reply: AbuseReport,
    errors: ['not_found'],
  }),
}
