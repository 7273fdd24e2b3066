import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { launchBrowser, screens } from '../test/browser/browser.ts'
import { type Product, startProduct } from '../test/browser/product.ts'
import { buildWeb } from './build-web.js'

/**
 * `npm run screenshots [words of file names]`: every page, dark and light, wide and small, of a real product with something in it, into `screenshots/`
 * (not committed), for a person to look at.
 */
const root = join(import.meta.dirname, '..')
const folder = join(root, 'screenshots')
const person = { email: 'ada@example.com', password: 'correct horse battery' }
/** What is shown: the name of the file, and where the page is. `{server}` is the running one, `{crashed}` one that crashed. */
const pages: Record<string, string> = {
  servers: '/servers',
  'server-new': '/servers/new',
  'server-console': '/servers/{server}/console',
  'server-files': '/servers/{server}/files',
  'server-stats': '/servers/{server}/stats',
  'server-crashes': '/servers/{crashed}/crashes',
  'server-backups': '/servers/{server}/backups',
  'server-databases': '/servers/{server}/databases',
  'server-schedules': '/servers/{server}/schedules',
  'server-network': '/servers/{server}/network',
  'server-people': '/servers/{server}/people',
  'server-startup': '/servers/{server}/startup',
  'server-activity': '/servers/{server}/activity',
  'server-settings': '/servers/{server}/settings',
  tunnels: '/tunnels',
  usage: '/usage',
  keys: '/keys',
  members: '/members',
  webhooks: '/webhooks',
  webhook: '/webhooks/{webhook}',
  activity: '/activity',
  api: '/api',
  'api-operation': '/api#createServer',
  account: '/account',
  device: '/device',
  nodes: '/admin/nodes',
  edges: '/admin/edges',
  templates: '/admin/templates',
  'database-hosts': '/admin/database-hosts',
  plans: '/admin/plans',
  users: '/admin/users',
  nothing: '/not-a-page',
}
/** Pages for people who are not signed in. */
const outside: Record<string, string> = {
  'sign-in': '/sign-in',
  setup: '/setup#phs_x',
  invitation: '/invitation#phi_x',
}
/** Requests are under way, or live figures on their way, for that long after a page has loaded, ms. */
const settleMs = 1_200

const wanted = process.argv.slice(2)
const isWanted = (name: string): boolean => wanted.length === 0 || wanted.some((word) => name.includes(word))

await buildWeb(root)
await mkdir(folder, { recursive: true })
await using product = await startProduct({ '--webhook-networks': '127.0.0.0/8' })
const browser = await launchBrowser()
try {
  const made = await fill(product, browser)
  for (const theme of ['dark', 'light'] as const)
    for (const [size, viewport] of Object.entries(screens)) {
      const context = await browser.newContext({
        viewport,
        colorScheme: theme,
        locale: 'en-GB',
        reducedMotion: 'reduce',
      })
      const page = await context.newPage()
      page.on('pageerror', (error) => console.error(page.url(), String(error)))
      const shoot = async (all: Record<string, string>): Promise<void> => {
        for (const [name, path] of Object.entries(all)) {
          if (!isWanted(name)) continue
          await page.goto(product.origin + path.replace(/\{(\w+)\}/, (_all, name) => made[name] ?? ''), {
            waitUntil: 'load',
          })
          await page.waitForTimeout(settleMs)
          await page.screenshot({
            path: join(folder, `${name}-${size}-${theme}.png`),
            fullPage: !name.startsWith('api'),
          })
          const wide = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          )
          if (wide !== 0) console.error(`${name} is ${wide} px too wide on a ${size} screen`)
        }
      }
      await shoot(outside)
      await signIn(page, product.origin)
      await shoot(pages)
      await context.close()
    }
} finally {
  await browser.close()
}
console.log(`Written to ${folder}`)

async function signIn(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/sign-in`)
  await page.getByLabel('E-mail address').fill(person.email)
  await page.getByLabel('Password').fill(person.password)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL('**/servers')
}

/** A workspace with servers, people, keys and a past. Gives the ids of what is shown, by the names in `pages`. */
async function fill({ origin, setupLink }: Product, browser: Browser): Promise<Record<string, string>> {
  const page = await browser.newPage()
  await page.goto(setupLink)
  await page.getByLabel('E-mail address').fill(person.email)
  await page.getByLabel('Password').fill(person.password)
  await page.getByLabel('What your workspace is called').fill('Acme Games')
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.waitForURL('**/servers/new')
  const call = (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> =>
    page.evaluate(
      async ([url, verb, text]) => {
        const init = text
          ? { method: verb, body: text, headers: { 'content-type': 'application/json' } }
          : { method: verb }
        const reply = await fetch(url, init)
        const parsed = (await reply.json()) as Record<string, unknown> & { data?: Record<string, unknown> }
        if (!reply.ok) console.error(url, JSON.stringify(parsed))
        // Operations of servers wrap what they reply.
        return parsed.data ?? parsed
      },
      [`${origin}/api/v1${path}`, method, body === undefined ? '' : JSON.stringify(body)] as const,
    )
  page.on('console', (message) => message.type() === 'error' && console.error(message.text()))
  const talking =
    'i=0; while true; do i=$((i+1)); printf "\\033[90m[%s]\\033[0m \\033[32mINFO\\033[0m Player%s joined the game\\n" "$(date +%T)" $i; sleep 2; done'
  const ids: string[] = []
  for (const [name, template, variables] of [
    ['Survival', 'minecraft', {}],
    ['Creative and a name that is rather long for a card', 'command', { COMMAND: talking }],
    ['Discord bot', 'command', { COMMAND: 'echo failed; exit 1' }],
    ['Lobby', 'command', { COMMAND: talking }],
  ] as const) {
    const made = await call('POST', '/servers', { name, template, variables, start: name !== 'Lobby' })
    ids.push(String(made.id).replace('servers/', ''))
  }
  const server = ids[1] ?? ''
  await page.goto(`${origin}/servers/${server}/console`)
  await page.getByText('Running', { exact: true }).waitFor()
  await call('POST', `/servers/${server}/backups`, { name: 'Before the update' })
  await call('POST', `/servers/${server}/users`, {
    userEmail: 'bob@example.com',
    permissions: ['console.read', 'control.start'],
  })
  await call('POST', `/servers/${server}/schedules`, {
    name: 'Every night',
    cron: '0 4 * * *',
    tasks: [{ kind: 'wait', until: 'offline' }],
  })
  await call('POST', '/tokens', { label: 'Continuous integration' })
  // Answers that nothing is there, so that failures are shown, too.
  const { webhook } = await call('POST', '/webhooks', {
    format: 'json',
    url: `${origin}/api/v1/nothing`,
    label: 'Status page',
    events: ['server.crashed', 'server.hung', 'backup.failed', 'node.away'],
  })
  await call('POST', '/webhooks', {
    format: 'discord',
    url: 'https://discord.example/hook',
    events: ['server.started'],
  })
  // What the API gives is an object with an id.
  const { id } = webhook as { id: string }
  await call('POST', `/webhooks/${id}/tests`)
  await page.close()
  return { server, crashed: ids[2] ?? '', webhook: id }
}
