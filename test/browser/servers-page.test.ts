import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import type { Database } from '../../src/panel/db/index.ts'
import { patienceMs } from '../patience.ts'
import { owner, startAcme } from '../world/panel.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens, unavailable } from './browser.ts'

const serverCount = 500
/** What a browser may have to load of scripts, compressed by gzip, before the first page works: a second on a slow mobile line. */
const firstLoadKbMax = 200

describe('somebody with five hundred servers', { skip: noBrowser, timeout: 4 * patienceMs }, () => {
  const closer = new AsyncDisposableStack()
  let browser: Browser
  let origin: string
  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pharos-many-'))
    closer.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    const webDir = join(import.meta.dirname, '../../dist/web')
    const world = closer.use(
      await startAcme({ kind: 'sqlite', file: join(folder, 'panel.db') }, { config: { webDir } }),
    )
    const { node } = await world.acme.createNode({ body: { name: 'away' } })
    await fill(world.database, node.id)
    origin = world.api.replace('/api/v1', '')
    browser = await launchBrowser()
    closer.defer(() => browser.close())
  })
  after(() => closer.disposeAsync())

  /** Signed in, and on the page of servers. */
  const enter = async (t: TestContext, options: Parameters<typeof openPage>[2] = {}): Promise<Page> => {
    const page = await openPage(t, browser, options)
    await page.goto(`${origin}/servers`)
    await page.getByLabel('E-mail address').fill(owner.email)
    await page.getByLabel('Password').fill(owner.password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText(`${serverCount} servers`, { exact: true }).waitFor()
    return page
  }

  test('loads less than 200 kB of scripts before the page works', async (t) => {
    const page = await enter(t)
    const bytes: Promise<number>[] = []
    page.on('response', (reply) => {
      if (reply.request().resourceType() === 'script') bytes.push(reply.body().then((body) => gzipSync(body).length))
    })
    await page.reload()
    await page.getByText(`${serverCount} servers`, { exact: true }).waitFor()
    const sum = (await Promise.all(bytes)).reduce((all, each) => all + each, 0)
    assert.ok(sum > 0, 'no script was seen')
    assert.ok(sum < firstLoadKbMax * 1000, `${Math.round(sum / 1000)} kB of scripts are loaded first`)
  })

  test('scrolls to the last, finds one by name, and reads every page by any tool', async (t) => {
    const page = await enter(t)
    await page.getByRole('link', { name: 'Server 500' }).scrollIntoViewIfNeeded()
    await page.getByRole('link', { name: 'Server 500' }).click({ trial: true })
    await page.getByRole('searchbox', { name: 'Search servers' }).fill('server 77')
    await page.getByText('1 server', { exact: true }).waitFor()
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
  })

  test('puts servers into a folder, which is still there after a reload', async (t) => {
    const page = await enter(t)
    await page.getByRole('searchbox', { name: 'Search servers' }).fill('Server 33')
    await page.getByRole('checkbox', { name: 'Select Server 330', exact: true }).check()
    await page.getByRole('checkbox', { name: 'Select Server 331', exact: true }).check()
    await page.getByText('2 servers selected').waitFor()
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Folder' }).click()
    await page.getByRole('dialog').getByLabel('Folder').fill('Tournament')
    await page.getByRole('button', { name: 'Put them there' }).click()
    await page.getByRole('heading', { name: 'Tournament 2 servers' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Tournament 2 servers' }).waitFor()
  })

  test('is told of each server why it cannot be started', async (t) => {
    const page = await enter(t)
    await page.getByRole('searchbox', { name: 'Search servers' }).fill('Server 49')
    await page.getByText('11 servers', { exact: true }).waitFor()
    await page.getByRole('checkbox', { name: 'Select all' }).check()
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByText('11 of 11, 11 refused').waitFor()
    assert.equal(
      await page
        .getByRole('dialog')
        .getByText(/Its node is away/)
        .count(),
      11,
    )
    await assertAccessible(page)
  })

  test('goes anywhere by typing, by keyboard alone', async (t) => {
    const page = await enter(t)
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder(/Go to a page/).waitFor()
    await page.keyboard.type('Server 123')
    await page.keyboard.press('Enter')
    const start = page.getByRole('option', { name: /^Start Its/ })
    await start.waitFor()
    await unavailable(start)
    await page.keyboard.type('Graphs')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Server 123' }).waitFor()
    assert.match(new URL(page.url()).pathname, /\/stats$/)
    await page.keyboard.press('?')
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor()
  })

  test('sees what a page asked for as curl commands without any secret', async (t) => {
    const page = await enter(t)
    await page.getByRole('button', { name: 'Show this as curl commands' }).click()
    const commands = (await page.getByRole('dialog').textContent()) ?? ''
    assert.match(commands, /curl 'http:\/\/127\.0\.0\.1:\d+\/api\/v1\/servers\?limit=100'/)
    assert.match(commands, /Bearer \$PHAROS_API_KEY/)
    assert.doesNotMatch(commands, new RegExp(owner.password))
  })
})

/** Rows as creating them leaves them behind, on a node that is away. */
async function fill({ kysely }: Database, node: string): Promise<void> {
  const { id: workspace } = await kysely.selectFrom('workspaces').select('id').executeTakeFirstOrThrow()
  const { id: user } = await kysely.selectFrom('users').select('id').executeTakeFirstOrThrow()
  await kysely.insertInto('template_copies').values({ hash: 'plain', content: '{}' }).execute()
  const rows = Array.from({ length: serverCount }, (_, index) => ({
    id: (index + 1).toString(16).padStart(8, '0'),
    workspace_id: workspace,
    owner_id: user,
    node_id: node,
    name: `Server ${index + 1}`,
    template: 'plain',
    template_hash: 'plain',
    memory: 256,
    disk: 256,
    cpu: 1,
    variables: '{}',
    restart_on_crash: 1,
    restart_on_hang: 0,
    wake_on_connect: 0,
    idle_minutes: 15,
    runtime: 'sandbox' as const,
    image: null,
    start_when_installed: 0,
    allocation_limit: 1,
    placement: '{}',
    transfer_id: null,
    suspended_at: null,
    deleted_at: null,
    revision: 1,
    state: null,
    created_at: Date.now(),
  }))
  const atOnce = 50
  for (let first = 0; first < rows.length; first += atOnce)
    await kysely
      .insertInto('servers')
      .values(rows.slice(first, first + atOnce))
      .execute()
}
