import type { Browser } from 'playwright-core'
import { becomeOwner, type Owner } from '../test/browser/owner.ts'
import type { Product } from '../test/browser/product.ts'
import { TestMariadb } from '../test/mariadb.ts'

/** The short name of a workspace in which there is nothing. */
export const emptyWorkspace = 'fresh'

export interface World extends AsyncDisposable {
  owner: Owner
  /** Ids of what is shown, by the names in the paths of the pages. */
  ids: Readonly<Record<string, string>>
}

/** What a game writes and says, by a shell: folders, settings, a log, an icon, then a player now and then. */
const talking = [
  'mkdir -p world/region plugins/WorldEdit logs empty',
  'head -c 5242880 /dev/urandom > world/region/r.0.0.mca',
  'printf "#Minecraft server properties\\nmotd=A Minecraft Server\\nmax-players=20\\ndifficulty=normal\\nview-distance=10\\nwhite-list=false\\n" > server.properties',
  'printf "[{\\"name\\": \\"ada\\", \\"level\\": 4}]\\n" > ops.json',
  'printf "settings:\\n  allow-end: true\\n  warn-on-overload: true\\n" > bukkit.yml',
  'printf iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPj/HwADBwIAMCbHYQAAAABJRU5ErkJggg== | base64 -d > server-icon.png',
  'for i in 1 2 3 4 5 6 7 8 9; do printf "[12:00:0$i] [Server thread/INFO]: Preparing spawn area: %s0%%%%\\n" $i; done | tee logs/latest.log',
  'printf "[12:00:11] \\033[33m[Server thread/WARN]: Can not keep up! Is the server overloaded?\\033[0m\\n"',
  'i=0; while true; do i=$((i+1)); printf "\\033[90m[%s]\\033[0m \\033[32mINFO\\033[0m Player%s joined the game\\n" "$(date +%T)" $i; sleep 2; done',
].join('; ')

const crashing =
  'for i in 1 2 3; do echo "Loading chunk $i"; done; echo "java.lang.OutOfMemoryError: Java heap space"; exit 1'

/** A product with servers, people, keys and a past. */
export async function fill(product: Product, browser: Browser): Promise<World> {
  const { origin } = product
  const owner = await becomeOwner(product, browser)
  const { api } = owner
  await using opened = new AsyncDisposableStack()
  const make = async (
    name: string,
    template: string,
    variables: Record<string, string> = {},
    start = true,
  ): Promise<string> => {
    const { id } = await api.createServer({ body: { name, template, variables, start } })
    return id.replace('servers/', '')
  }
  const minecraft = await make('Survival', 'minecraft', {}, false)
  const serverId = await make('Creative and a name that is rather long for a card', 'command', { COMMAND: talking })
  const crashed = await make('Discord bot', 'command', { COMMAND: crashing })
  const lobby = await make('Lobby', 'command', {}, false)
  const params = { serverId }
  await until(async () => (await api.server({ params })).status === 'running')

  for (const [name, locked] of [
    ['Before the update', true],
    ['Every night, at four', false],
  ] as const) {
    const { backupId: backup } = await api.createBackup({ params, body: { name } })
    await until(async () => (await api.backup({ params: { serverId, backup } })).state === 'ready')
    if (locked) await api.lockBackup({ params: { serverId, backup } })
  }
  for (const userEmail of ['bob@example.com', 'a.rather.long.name.of.somebody@mail.example.org'])
    await api.createSubuser({
      params,
      body: { userEmail, permissions: ['console.read', 'control.start', 'files.read'] },
    })
  await api.createSchedule({
    params,
    body: {
      name: 'Every night',
      cron: '0 4 * * *',
      tasks: [
        { kind: 'command', command: 'say The server restarts in one minute' },
        { kind: 'power', action: 'stop', delaySeconds: 60 },
        { kind: 'backup' },
        { kind: 'power', action: 'start' },
      ],
    },
  })
  await api.createSchedule({
    params,
    body: {
      name: 'Weekend event',
      cron: '30 18 * * 6',
      enabled: false,
      tasks: [{ kind: 'command', command: 'event' }],
    },
  })
  await api.createAllocation({ params, body: {} })
  await addDatabase(api, serverId, opened)
  await api.createToken({ body: { label: 'Continuous integration' } })
  const webhook = await addWebhooks(api, origin)
  await api.createWorkspace({ body: { name: 'Fresh start', slug: emptyWorkspace } })
  await until(async () => (await api.server({ params: { serverId: crashed } })).status === 'offline')
  const closing = opened.move()
  return {
    owner,
    ids: { server: serverId, crashed, minecraft, empty: lobby, webhook },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** Only where MariaDB is installed: the page says elsewhere that there is no host. */
async function addDatabase(api: Owner['api'], serverId: string, opened: AsyncDisposableStack): Promise<void> {
  const mariadb = await TestMariadb.start().catch(() => null)
  if (mariadb === null) return
  opened.use(mariadb)
  const { port, user, password } = mariadb
  await api.createDatabaseHost({ body: { name: 'eu-1', host: '127.0.0.1', port, username: user, password } })
  await api.createDatabase({ params: { serverId }, body: { database: 'Shop' } })
}

/** Nothing is where the first one leads, so that failures are shown, too. */
async function addWebhooks(api: Owner['api'], origin: string): Promise<string> {
  const { webhook } = await api.createWebhook({
    body: {
      format: 'json',
      url: `${origin}/api/v1/nothing`,
      label: 'Status page',
      events: ['server.crashed', 'server.hung', 'backup.failed', 'node.away'],
    },
  })
  await api.createWebhook({
    body: { format: 'discord', url: 'https://discord.example/hook', events: ['server.started'] },
  })
  await api.testWebhook({ params: { webhook: webhook.id } })
  return webhook.id
}

const askEveryMs = 200
const patienceMs = 60_000

async function until(reached: () => Promise<boolean>): Promise<void> {
  const late = AbortSignal.timeout(patienceMs)
  while (!(await reached())) {
    late.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, askEveryMs))
  }
}
