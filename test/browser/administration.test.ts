import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens, unavailable } from './browser.ts'
import { becomeOwner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

type Person = NonNullable<BrowserContextOptions['storageState']>

const eggs = join(import.meta.dirname, '..', 'eggs')
/** Between two looks at what cannot be waited for otherwise, ms. */
const pollMs = 100
const refusals = /4(00|03|04|09|22)/

describe('what administrators do in the browser', { skip: noBrowser, timeout: 4 * patienceMs }, () => {
  let product: Product
  let browser: Browser
  let owner: Person
  let api: ReturnType<Product['client']>

  before(async () => {
    product = await startProduct()
    browser = await launchBrowser()
    ;({ session: owner, api } = await becomeOwner(product, browser))
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
  })

  const open = async (t: TestContext, path: string, heading: string): Promise<Page> => {
    const page = await openPage(t, browser, { storageState: owner, tolerated: refusals })
    await page.goto(product.origin + path)
    await page.getByRole('heading', { name: heading, exact: true }).waitFor()
    return page
  }
  const fits = async (page: Page): Promise<void> => {
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.setViewportSize(screens.wide)
  }

  test('an egg is shown before it is saved, exported, changed, and kept while a server uses it', async (t) => {
    const page = await open(t, '/admin/templates', 'Templates')
    await fits(page)
    await page.getByRole('button', { name: 'Import an egg' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('The egg', { exact: true }).fill('{"no": "egg"}')
    await dialog.getByRole('button', { name: 'Show what becomes of it' }).click()
    await dialog.getByRole('alert').waitFor()
    await unavailable(dialog.getByRole('button', { name: 'Import', exact: true }))
    await dialog.locator('input[type=file]').setInputFiles(join(eggs, 'paper.json'))
    await dialog.getByLabel('Id here').fill('paper-java')
    await dialog.getByRole('button', { name: 'Show what becomes of it' }).click()
    await dialog.getByText('Becomes a new template').waitFor()
    await fits(page)
    assert.ok(!(await api.templates()).some(({ id }) => id === 'paper-java'))
    await dialog.getByRole('button', { name: 'Import', exact: true }).click()
    await dialog.waitFor({ state: 'hidden' })
    const row = page.getByRole('row').filter({ hasText: 'paper-java' })
    await row.getByText('2 images').waitFor()
    const more = page.getByRole('button', { name: 'Actions for Paper (Java)' })

    await more.click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'Export as an egg' }).click(),
    ])
    const exported = JSON.parse(await readFile(await download.path(), 'utf8')) as { name: string }
    assert.equal(exported.name, 'Paper (Java)')

    await more.click()
    await page.getByRole('menuitem', { name: 'Change' }).click()
    await dialog.getByLabel('Memory (MiB)').fill('1')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByLabel('Memory (MiB)').fill('128')
    await dialog.getByLabel('UDP').uncheck()
    await fits(page)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'hidden' })
    const changed = await api.template({ params: { template: 'paper-java' } })
    assert.deepEqual([changed.resources.memory, changed.protocols], [128, ['tcp']])

    await page.getByRole('button', { name: 'Actions for Command' }).click()
    const remove = page.getByRole('menuitem', { name: /^Delete/ })
    await remove.getByText('It comes with Pharos.').waitFor()
    await unavailable(remove)
    await page.keyboard.press('Escape')
    const { id } = await api.createServer({ body: { name: 'Made of an egg', template: 'paper-java', start: false } })
    await more.click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByText('used by Made of an egg').waitFor()
    await api.deleteServer({ params: { serverId: id.replace('servers/', '') } })
    await until('no server is made of it', async () => {
      const { servers } = await api.template({ params: { template: 'paper-java' } })
      return servers === 0
    })
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await row.waitFor({ state: 'hidden' })
  })

  test('a server takes the newest version of its template once it is clear what that changes', async (t) => {
    const egg = JSON.parse(await readFile(join(eggs, 'paper.json'), 'utf8')) as Record<string, unknown>
    await api.importTemplate({ body: { egg, id: 'newer' } })
    const made = await api.createServer({ body: { name: 'Behind', template: 'newer', start: false } })
    const params = { serverId: made.id.replace('servers/', '') }
    await api.importTemplate({
      body: { egg: { ...egg, startup: './newer', variables: [] }, id: 'newer', replace: true },
    })
    const page = await open(t, `/servers/${params.serverId}/startup`, 'Start-up')
    await page.getByText('There is a newer version of its template').waitFor()
    await page.getByLabel('Container image').selectOption('Java 17')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved. It is in force from the next start.').waitFor()
    await page.getByRole('button', { name: 'Take the newest version' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('Version: is no more').waitFor()
    await fits(page)
    await dialog.getByRole('button', { name: 'Take the newest version' }).click()
    await page.getByText('There is a newer version of its template').waitFor({ state: 'hidden' })
    const { newer, variables } = await api.startup({ params })
    assert.equal(newer, null)
    assert.deepEqual(
      variables.map(({ name, value }) => [name, value]),
      [['DOCKER_IMAGE', 'Java 17']],
    )
    // Its own page would say that it is gone.
    await page.goto(`${product.origin}/admin/plans`)
    await page.getByRole('heading', { name: 'Plans', exact: true }).waitFor()
    await api.deleteServer({ params })
  })

  test('a source says what it brought, or why it brought nothing', async (t) => {
    const page = await open(t, '/admin/templates', 'Templates')
    await page.getByText('No source yet').waitFor()
    await page.getByRole('button', { name: 'Add a source' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('Community')
    await dialog.getByLabel('Address').fill('ftp://nowhere')
    await dialog.getByRole('button', { name: 'Add a source' }).click()
    await dialog.getByRole('alert').waitFor()
    // Of this machine, which a source may not fetch from unless it says so.
    await dialog.getByLabel('Address').fill(`${product.origin}/eggs.tar.gz`)
    await assertAccessible(page)
    await dialog.getByRole('button', { name: 'Add a source' }).click()
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Synchronise Community now' }).click()
    await page.getByRole('row').filter({ hasText: 'Community' }).getByText('Failed').waitFor()
    await page.getByRole('button', { name: 'Actions for Community' }).click()
    await page.getByRole('menuitem', { name: 'What it brought' }).click()
    await dialog.getByRole('alert').waitFor()
    await fits(page)
  })

  test('a machine is labelled, put into maintenance and drained; a server finds no other to move to', async (t) => {
    const { node } = await api.createNode({ body: { name: 'far-away' } })
    const page = await open(t, '/admin/nodes', 'Nodes')
    const row = page.getByRole('row').filter({ hasText: 'far-away' })
    const more = page.getByRole('button', { name: 'Actions for far-away' })
    await more.click()
    await page.getByRole('menuitem', { name: 'Placement' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Labels').fill('region')
    await dialog.getByText('“region” is no label').waitFor()
    await dialog.getByLabel('Labels').fill('region=eu')
    await dialog.getByLabel('Memory').fill('1.5')
    await fits(page)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await row.getByText('region=eu').waitFor()
    // Who works by keyboard goes on where they were: at the menu that the dialog came from.
    await more.and(page.locator(':focus')).waitFor()
    const changed = await api.node({ params: { node: node.id } })
    assert.deepEqual([changed.labels, changed.overAllocation.memory], [{ region: 'eu' }, 1.5])
    await more.click()
    await page.getByRole('menuitem', { name: 'Put into maintenance' }).click()
    await row.getByText('maintenance', { exact: true }).waitFor()
    await more.click()
    await page.getByRole('menuitem', { name: 'End the maintenance' }).click()
    await row.getByText('maintenance', { exact: true }).waitFor({ state: 'hidden' })
    await more.click()
    await page.getByRole('menuitem', { name: 'Move all servers away' }).click()
    await dialog.getByRole('button', { name: 'Move all servers away' }).click()
    await dialog.getByText('There is no server to move.').waitFor()
    await page.keyboard.press('Escape')
    await fits(page)

    const made = await api.createServer({
      body: { name: 'Stays', template: 'command', variables: { COMMAND: 'true' }, start: false },
    })
    await page.goto(`${product.origin}/servers/${made.id.replace('servers/', '')}/settings`)
    const target = page.getByLabel('To which machine?')
    await target.getByRole('option', { name: 'far-away (away)' }).waitFor({ state: 'attached' })
    await page.getByRole('button', { name: 'Move it' }).click()
    await dialog.getByRole('button', { name: 'Move it' }).click()
    await dialog.getByRole('alert').waitFor()
    await assertAccessible(page)
    // Its own page would say that it is gone.
    await page.goto(`${product.origin}/admin/plans`)
    await page.getByRole('heading', { name: 'Plans', exact: true }).waitFor()
    await api.deleteServer({ params: { serverId: made.id.replace('servers/', '') } })
  })

  test('plans are set, a workspace gets one, and wrong ones are refused', async (t) => {
    const page = await open(t, '/admin/plans', 'Plans')
    await page.getByRole('button', { name: 'Change Standard' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Tunnels').fill('0')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByLabel('Tunnels').fill('7')
    await fits(page)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'hidden' })
    assert.equal((await api.plans()).plans.find(({ name }) => name === 'standard')?.tunnels, 7)
    const slug = page.getByLabel('Workspace', { exact: true })
    const own = await slug.inputValue()
    await slug.fill('not-there')
    await page.getByRole('button', { name: 'Look it up' }).click()
    await page.getByRole('alert').waitFor()
    await slug.fill(own)
    await page.getByRole('button', { name: 'Look it up' }).click()
    await page.getByLabel('Plan', { exact: true }).selectOption('enterprise')
    await fits(page)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').first().waitFor()
    assert.equal((await api.workspacePlan({ params: { slug: own } })).plan, 'enterprise')
  })

  test('everybody with an account is found, and who has no second factor needs no reset', async (t) => {
    const page = await open(t, '/admin/users', 'Users')
    const row = page.getByRole('row').filter({ hasText: 'me@example.com' })
    await row.getByText('Administrator').waitFor()
    const reset = row.getByRole('button', { name: 'Reset code of me@example.com' })
    await unavailable(reset)
    await reset.focus()
    await page.getByRole('tooltip').filter({ hasText: 'The password is enough already.' }).waitFor()
    await fits(page)
    await page.getByRole('searchbox').fill('nobody%')
    await page.getByText('Nobody has this in their address or name.').waitFor()
    await page.getByRole('searchbox').fill('ME@')
    await row.waitFor()
  })

  test('a database host that does not answer is refused, and says why', async (t) => {
    const page = await open(t, '/admin/database-hosts', 'Database hosts')
    await fits(page)
    await page.getByRole('button', { name: 'Add a host' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('eu-1')
    await dialog.getByLabel('Host name or address').fill('127.0.0.1')
    await dialog.getByLabel('Port').fill('1')
    await dialog.getByLabel('User').fill('root')
    await dialog.getByLabel('Password').fill('secret')
    await dialog.getByRole('button', { name: 'Add a host' }).click()
    await dialog.getByRole('alert').waitFor()
    await fits(page)
    assert.deepEqual((await api.databaseHosts()).hosts, [])
  })
})

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + patienceMs
  while (!(await holds())) {
    assert.ok(Date.now() < end, `waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
}
