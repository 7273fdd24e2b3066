import { z } from 'zod'
import { displayName, Slug, Time } from '../fields.ts'
import { operation } from '../operation.ts'

/** A host name in lower case, without a port. */
const BaseDomain = z
  .string()
  .max(200)
  .transform((text) => text.toLowerCase().replace(/\.$/, ''))
  .pipe(
    z
      .string()
      .regex(
        /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
        'must be a host name',
      ),
  )

/** `edge.example.org:443` */
const DialAddress = z
  .string()
  .max(260)
  .regex(/^(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$/, 'must be host:port')

/** How host names are made of a tunnel's name and a workspace's slug: `web-acme.`, `web.acme.`, `web.` before the base. */
export const urlShapes = ['hyphen', 'subdomain', 'flat'] as const

export const ForeignEdge = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    base: z.string().meta({ description: 'What the host names of its tunnels end in' }),
    shape: z.enum(urlShapes).meta({ description: 'web-acme.<base>, web.acme.<base>, or web.<base>' }),
    address: z.string().nullable().meta({ description: 'Where its agents dial it' }),
    workspaces: z
      .array(z.string())
      .nullable()
      .meta({ description: 'Slugs: only their keys are good there. Null: those of every workspace' }),
    serves: z.array(z.string()).meta({ description: 'Slugs: agents there have shown keys of theirs' }),
    lastSeenAt: Time.nullable(),
    accepted: z.int().meta({ description: 'Records of its reports that were taken' }),
    dropped: z.int().meta({ description: 'And that were set aside' }),
    lastDropped: z.string().nullable().meta({ description: 'Why the last one was' }),
    createdAt: Time,
  })
  .meta({ id: 'ForeignEdge' })

/** What goes into the configuration of the edge. */
const Credential = {
  credential: z.string().meta({ description: 'BEAMD_AUTH_VERIFY_SECRET, and the secret of its reports; shown once' }),
  verifyUrl: z.string().meta({ description: 'Its `token_store`' }),
  reportUrl: z.string().meta({ description: 'Its `request_reporter.webhook_url`' }),
}

const base = { family: 'control', tag: 'Foreign edges', access: 'instance' } as const
const ofEdge = { params: z.object({ edge: z.string() }) }

export const foreignEdgeOperations = {
  foreignEdges: operation({
    ...base,
    method: 'GET',
    path: '/foreign-edges',
    summary: 'Edges of others that are registered here',
    reply: z.strictObject({ edges: z.array(ForeignEdge) }),
    errors: [],
  }),
  createForeignEdge: operation({
    ...base,
    method: 'POST',
    path: '/foreign-edges',
    summary: 'Register an edge that speaks the published edge contract; its credential is shown once',
    body: z.strictObject({
      name: displayName(80),
      base: BaseDomain,
      shape: z.enum(urlShapes).default('hyphen'),
      address: DialAddress.nullish(),
      workspaces: z.array(Slug).min(1).max(100).nullish(),
    }),
    reply: z.strictObject({ ...ForeignEdge.shape, ...Credential }),
    errors: ['conflict', 'not_found'],
  }),
  renewForeignEdge: operation({
    ...base,
    ...ofEdge,
    method: 'POST',
    path: '/foreign-edges/{edge}/credential',
    summary: 'Give it a new credential; the one before stops working at once',
    reply: z.strictObject({ id: z.string(), ...Credential }),
    errors: ['not_found'],
  }),
  deleteForeignEdge: operation({
    ...base,
    ...ofEdge,
    method: 'DELETE',
    path: '/foreign-edges/{edge}',
    summary: 'Forget it; its credential stops working at once. What it has counted stays',
    reply: z.strictObject({ id: z.string(), removed: z.literal(true) }),
    errors: ['not_found'],
  }),
}
