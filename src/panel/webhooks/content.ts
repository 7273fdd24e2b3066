import { z } from 'zod'
import { webhookEvents } from '../../contract/api/webhooks.ts'
import { printableLine } from '../../lib/printable.ts'

/** What a receiver of format json gets: the body of the request. */
export const Content = z.strictObject({
  /** The delivery's. */
  id: z.string(),
  event: z.enum([...webhookEvents, 'webhook.test']),
  at: z.iso.datetime(),
  workspace: z.string(),
  /** What happened, in a sentence. */
  message: z.string(),
  /** What it happened to. */
  subject: z.strictObject({
    kind: z.enum(['server', 'backup', 'schedule', 'node', 'workspace', 'tunnel', 'webhook']),
    id: z.string(),
    name: z.string(),
  }),
  server: z.strictObject({ id: z.string(), name: z.string() }).nullable(),
})
export type Content = z.output<typeof Content>

/** The body of a message to a Discord channel. Whatever stands in a name, it mentions nobody and draws nothing. */
export function discordBody({ event, at, message, subject, server, workspace }: Content): string {
  const fields = [
    { name: 'Workspace', value: workspace },
    ...(server ? [{ name: 'Server', value: server.name }] : []),
    ...(subject.kind === 'server' || subject.kind === 'workspace' || subject.kind === 'webhook'
      ? []
      : [{ name: subject.kind[0]?.toUpperCase() + subject.kind.slice(1), value: subject.name }]),
  ]
  return JSON.stringify({
    username: 'Pharos',
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: event,
        description: plain(message, 2000),
        color: colours[toneOf(event)],
        timestamp: at,
        fields: fields.map(({ name, value }) => ({ name, value: plain(value, 500), inline: true })),
      },
    ],
  })
}

/** A letter: plain text, in which nothing is a link that we did not write. */
export function letterOf({ event, at, message, workspace, server }: Content): { subject: string; text: string } {
  return {
    subject: `${event}: ${(server?.name ?? workspace).slice(0, 80)}`,
    text: [
      printableLine(message).replaceAll('://', ': //'),
      '',
      `Workspace  ${workspace}`,
      ...(server ? [`Server     ${printableLine(server.name)} (${server.id})`] : []),
      `When       ${at}`,
      '',
      'You get this letter because somebody of the workspace has alerts sent to you; they are in its webhooks.',
      '',
    ].join('\n'),
  }
}

const toneOf = (event: Content['event']): keyof typeof colours =>
  event.endsWith('started') || event.endsWith('completed') || event.endsWith('back') || event.endsWith('.up')
    ? 'good'
    : event.endsWith('stopped') || event.endsWith('test')
      ? 'plain'
      : 'bad'

const colours = { good: 0x2e_a0_43, plain: 0x6e_77_81, bad: 0xd7_3a_49 } as const

/** Each character that Markdown or a mention could begin with, made plain. */
const plain = (text: string, most: number): string =>
  printableLine(text)
    .slice(0, most / 2)
    .replace(/[\\*_~`|>#[\]()<@:-]/g, (character) => `\\${character}`)
    .slice(0, most)
