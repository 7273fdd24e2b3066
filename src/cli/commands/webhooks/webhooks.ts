import { z } from 'zod'
import { webhookEvents } from '../../../contract/api/webhooks.ts'
import { CommandError, type Connection, command, UsageError } from '../../command.ts'
import { facts, table } from '../../output.ts'

const ofWebhook = [['<webhook>', 'its label or id']] as const
const Named = z.object({ webhook: z.string().min(1) })
const EventName = z.enum(['all', ...webhookEvents], `must be one of: all, ${webhookEvents.join(', ')}`)

const list = command({
  path: 'webhooks list',
  summary: 'List who is told of what happens in the workspace',
  examples: ['pharos webhooks list'],
  options: z.object({}),
  async run(_options, { connect, out }) {
    const { webhooks } = await (await connect()).client.webhooks({})
    out.result(webhooks, () =>
      webhooks.length === 0
        ? 'No webhooks yet. "pharos webhooks create --help" says how to make one.'
        : table(
            ['id', 'label', 'format', 'to', 'events', 'state'],
            webhooks.map((one) => [
              one.id,
              one.label ?? '',
              one.format,
              one.to ?? new URL(one.url ?? '').host,
              one.events.length === webhookEvents.length ? 'all' : one.events.join(','),
              one.enabled ? (one.failingSince === null ? 'works' : `fails since ${one.failingSince}`) : 'off',
            ]),
          ),
    )
  },
})

const create = command({
  path: 'webhooks create',
  summary: 'Have a URL, a Discord channel or a member told of events',
  description:
    'The URL is read from standard input where it is "-": it may be a secret. The secret that deliveries are signed with is shown once.',
  args: [['<target>', 'a URL, "-" to read it from standard input, or the e-mail address of a member']],
  flags: [
    ['--event <event...>', `which events: ${webhookEvents.join(', ')}, or all (the default)`],
    ['--discord', 'write as a message to a Discord channel'],
    ['--label <text>', 'what to call it'],
  ],
  examples: [
    'pharos webhooks create https://hooks.example.org/pharos --event server.crashed node.away',
    'pharos webhooks create --discord - < discord-url.txt',
    'pharos webhooks create ada@example.com --event disk.nearly_full',
  ],
  options: z.object({
    target: z.string().min(1),
    event: z.array(EventName).default(['all']),
    discord: z.boolean().default(false),
    label: z.string().min(1).optional(),
  }),
  async run({ target, event, discord, label }, { connect, out, readText }) {
    const given = target === '-' ? (await readText(urlBytesMax)).trim() : target
    const events = event.includes('all') ? [...webhookEvents] : event.filter((one) => one !== 'all')
    const rest = { events, ...(label === undefined ? {} : { label }) }
    const mail = !given.includes('://') && given.includes('@')
    if (mail && discord) throw new UsageError('--discord: is for a URL, not for an e-mail address')
    const made = await (await connect()).client.createWebhook({
      body: mail
        ? { format: 'mail', to: given, ...rest }
        : { format: discord ? 'discord' : 'json', url: given, ...rest },
    })
    out.result(made, () =>
      made.secret === null
        ? `${made.webhook.id}: letters go to ${made.webhook.to}`
        : `${made.webhook.id}\nSecret, shown once: ${made.secret}\n"pharos webhooks test ${made.webhook.id}" shows whether it arrives.`,
    )
  },
})

const show = command({
  path: 'webhooks show',
  summary: 'Show a webhook and its last deliveries',
  args: ofWebhook,
  examples: ['pharos webhooks show whk_4k2j9x0q1m5v7c3d'],
  options: Named,
  async run({ webhook }, { connect, out }) {
    const connection = await connect()
    const params = { webhook: await find(connection, webhook) }
    const found = await connection.client.webhook({ params })
    const { deliveries } = await connection.client.webhookDeliveries({ params, query: { limit: shownMax } })
    out.result({ ...found, deliveries }, () =>
      [
        facts([
          ['id', found.id],
          ['label', found.label],
          ['format', found.format],
          ['to', found.to ?? found.url],
          ['events', found.events.join(', ')],
          ['state', found.enabled ? 'on' : (found.disabledWhy ?? 'off')],
          ['failing since', found.failingSince],
          ['waiting', String(found.waiting)],
          ['dropped', found.dropped === 0 ? null : `${found.dropped} events, since too many waited`],
        ]),
        '',
        deliveries.length === 0
          ? 'Nothing was delivered in the last week.'
          : table(
              ['delivery', 'event', 'at', 'state', 'answer', 'message'],
              deliveries.map((one) => [
                one.id,
                one.event,
                one.createdAt,
                one.state === 'pending' && one.attempts > 0 ? `again at ${one.nextAt}` : one.state,
                one.status === null ? '' : String(one.status),
                one.message ?? '',
              ]),
            ),
      ].join('\n'),
    )
  },
})

const test = command({
  path: 'webhooks test',
  summary: 'Deliver a test event and say what became of it',
  args: ofWebhook,
  examples: ['pharos webhooks test whk_4k2j9x0q1m5v7c3d'],
  options: Named,
  async run({ webhook }, { connect, out, signal }) {
    const connection = await connect()
    const params = { webhook: await find(connection, webhook) }
    const { id } = await connection.client.testWebhook({ params })
    for (let look = 0; look < looksMax && !signal.aborted; look++) {
      out.progress(`Waiting for the answer, ${look} s`)
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const { deliveries } = await connection.client.webhookDeliveries({ params, query: {} })
      const made = deliveries.find((one) => one.id === id)
      if (made?.state !== 'delivered' && made?.attempts === 0) continue
      out.progress(null)
      if (made?.state !== 'delivered') throw new CommandError(made?.message ?? 'It was not delivered.')
      return out.result(made, () => `Delivered: ${made.status ?? 'by mail'}, ${made.tookMs} ms`)
    }
    out.progress(null)
    throw new CommandError(`Nothing is known of delivery ${id} yet. "pharos webhooks show ${webhook}" tells it later.`)
  },
})

const rotate = command({
  path: 'webhooks rotate',
  summary: 'Make a new secret; for a day deliveries are signed with the old one as well',
  args: ofWebhook,
  examples: ['pharos webhooks rotate whk_4k2j9x0q1m5v7c3d'],
  options: Named,
  async run({ webhook }, { connect, out }) {
    const connection = await connect()
    const made = await connection.client.rotateWebhookSecret({ params: { webhook: await find(connection, webhook) } })
    out.result(made, () => `Secret, shown once: ${made.secret}\nThe old one signs as well until ${made.oldUntil}.`)
  },
})

const switches = (['enable', 'disable'] as const).map((verb) =>
  command({
    path: `webhooks ${verb}`,
    summary: verb === 'enable' ? 'Switch a webhook on again' : 'Switch a webhook off; what happens then is not told',
    args: ofWebhook,
    examples: [`pharos webhooks ${verb} whk_4k2j9x0q1m5v7c3d`],
    options: Named,
    async run({ webhook }, { connect, out }) {
      const connection = await connect()
      const params = { webhook: await find(connection, webhook) }
      const changed = await connection.client.updateWebhook({ params, body: { enabled: verb === 'enable' } })
      out.result(changed, () => `${changed.id} is ${changed.enabled ? 'on' : 'off'}`)
    },
  }),
)

const redeliver = command({
  path: 'webhooks redeliver',
  summary: 'Make a delivery once more, now',
  args: [...ofWebhook, ['<delivery>', 'its id, as "webhooks show" lists it']],
  examples: ['pharos webhooks redeliver whk_4k2j9x0q1m5v7c3d dlv_8s1k2j9x0q1m5v7c'],
  options: Named.extend({ delivery: z.string().min(1) }),
  async run({ webhook, delivery }, { connect, out }) {
    const connection = await connect()
    const again = await connection.client.redeliver({ params: { webhook: await find(connection, webhook), delivery } })
    out.result(again, () => `${again.id} is made again`)
  },
})

const remove = command({
  path: 'webhooks delete',
  summary: 'Delete a webhook with its deliveries',
  args: ofWebhook,
  examples: ['pharos webhooks delete whk_4k2j9x0q1m5v7c3d'],
  options: Named,
  async run({ webhook }, { connect, out }) {
    const connection = await connect()
    const { id } = await connection.client.deleteWebhook({ params: { webhook: await find(connection, webhook) } })
    out.result({ id, deleted: true }, () => `${id} is deleted`)
  },
})

/** `webhooks list|create|show|test|rotate|enable|disable|redeliver|delete` */
export const webhookCommands = [list, create, show, test, rotate, ...switches, redeliver, remove]

/** Bytes of a URL on standard input. */
const urlBytesMax = 4096

/** Deliveries that `show` shows. */
const shownMax = 20

/** Seconds that `test` waits: the panel gives a receiver ten. */
const looksMax = 20

async function find(connection: Connection, meant: string): Promise<string> {
  const { webhooks } = await connection.client.webhooks({})
  const named = webhooks.filter(({ id, label }) => id === meant || label === meant)
  const [only] = named
  if (only && named.length === 1) return only.id
  if (only)
    throw new CommandError(
      `${named.length} webhooks are called "${meant}". Use the id: ${named.map(({ id }) => id).join(', ')}`,
    )
  throw new CommandError(`No webhook is called "${meant}". "pharos webhooks list" shows them.`)
}
