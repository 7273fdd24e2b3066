import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, type TestContext, test } from 'node:test'
import { createConnection } from 'mysql2/promise'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { needsMariadb, TestMariadb } from '../mariadb.ts'
import { patienceMs } from '../patience.ts'
import { needsRestic } from '../restic.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens, unavailable } from './browser.ts'
import { becomeOwner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

type Person = NonNullable<BrowserContextOptions['storageState']>
type Tab = 'backups' | 'databases' | 'schedules'

/** Does what the console tells it, and ends when it is told to. */
const obedient = `exec node -e '${[
  'process.stdin.setEncoding("utf8").on("data", (lines) => require("node:child_process").execSync(lines))',
  'process.on("SIGTERM", () => process.exit())',
].join('; ')}'`
/** MiB. Large enough that a file which only claims its size may be backed up, and never will be within a test. */
const hugeDisk = 4_000_000

describe('backups, databases and schedules of a server', { skip: noBrowser, timeout: 5 * patienceMs }, () => {
  let product: Product
  let browser: Browser
  let owner: Person
  let api: ReturnType<Product['client']>
  let serverId: string

  before(async () => {
    product = await startProduct()
    browser = await launchBrowser()
    ;({ session: owner, api } = await becomeOwner(product, browser))
    serverId = await newServer('Lobby', obedient)
    await api.writeFile({ params: { serverId }, body: { file: 'level.txt', content: 'one' } })
  })
  after(async () => {
    await browser?.close()
    // A server that runs outlives its panel.
    for (const { id } of (await api?.servers()) ?? []) await api.deleteServer({ params: { serverId: keyOf(id) } })
    await product?.[Symbol.asyncDispose]()
  })

  const params = () => ({ params: { serverId } })
  const contentOf = async (file: string): Promise<string> =>
    (await api.fileContents({ ...params(), query: { file } })).content.trim()
  const names = async (): Promise<string[]> =>
    (await api.listFiles({ ...params(), query: { directory: '/' } })).files.map(({ name }) => name)
  const statusOf = async (id: string): Promise<string> => (await api.server({ params: { serverId: id } })).status

  /** Resolves to its id once it is offline, or with `command` once it runs. */
  async function newServer(name: string, command?: string): Promise<string> {
    const { id } = await api.createServer({
      body: {
        ...{ name, template: 'command', start: command !== undefined, resources: { disk: hugeDisk } },
        ...(command === undefined ? {} : { variables: { COMMAND: command } }),
      },
    })
    const wanted = command === undefined ? 'offline' : 'running'
    await until(`${name} is ${wanted}`, async () => (await statusOf(keyOf(id))) === wanted)
    return keyOf(id)
  }

  const running = async (): Promise<void> => {
    await api.power({ ...params(), body: { action: 'start' } })
    await until('the server runs', async () => (await statusOf(serverId)) === 'running')
  }

  const open = async (t: TestContext, tab: Tab, person = owner, id = serverId): Promise<Page> => {
    const page = await openPage(t, browser, { storageState: person })
    await page.goto(`${product.origin}/servers/${id}/${tab}`)
    await page.getByRole('heading', { level: 2, name: tab, exact: false }).first().waitFor()
    return page
  }

  test('a backup is ready without a reload, and what is downloaded is what its checksum says', async (t) => {
    const page = await open(t, 'backups')
    await page.getByText('No backup yet').waitFor()
    await assertAccessible(page)
    await makeBackup(page, 'First', '*.log')
    const row = page.getByRole('row').filter({ hasText: 'First' })
    await row.getByText('Ready', { exact: true }).waitFor()
    await page.getByText('1 of 10').waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      row.getByRole('button', { name: 'Download' }).click(),
    ])
    assert.match(download.suggestedFilename(), /\.tar\.zst$/)
    const [backup] = await api.backups(params())
    assert.equal(
      createHash('sha256')
        .update(await readFile(await download.path()))
        .digest('hex'),
      backup?.checksum,
    )
    assert.equal(backup?.ignored, '*.log')
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
  })

  test('a backup on its way shows how far it is, says what has to wait, and can be cancelled', async (t) => {
    await running()
    await api.consoleCommand({ ...params(), body: { command: 'truncate -s 1T huge.bin' } })
    await until('the file is there', async () => (await names()).includes('huge.bin'))
    const page = await open(t, 'backups')
    await makeBackup(page, 'Endless')
    const row = page.getByRole('row').filter({ hasText: 'Endless' })
    await row.getByRole('progressbar').waitFor()
    await row.getByText('of 1 TiB').waitFor()
    await saysWhyNot(page, row.getByRole('button', { name: 'Download' }), 'It is still being made.')
    await assertAccessible(page)
    await page.getByRole('button', { name: 'More actions for Endless' }).click()
    await page.getByRole('menuitem', { name: 'Cancel and delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row.waitFor({ state: 'hidden' })
    await api.deleteFile({ ...params(), body: { file: 'huge.bin' } })
  })

  test('a locked backup says why it cannot be deleted, and can be unlocked', async (t) => {
    const { backupId } = await api.createBackup({
      ...params(),
      body: { name: 'Kept', locked: true, ignored: 'huge.bin' },
    })
    const page = await open(t, 'backups')
    const row = page.getByRole('row').filter({ hasText: 'Kept' })
    await row.getByText('Ready', { exact: true }).waitFor()
    const more = page.getByRole('button', { name: 'More actions for Kept' })
    await more.click()
    const remove = page.getByRole('menuitem', { name: /^Delete/ })
    await remove.getByText('It is locked. Unlock it first.').waitFor()
    await unavailable(remove)
    await page.getByRole('menuitem', { name: 'Unlock', exact: true }).click()
    await row.getByRole('img', { name: 'Locked' }).waitFor({ state: 'hidden' })
    await more.click()
    await remove.click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await row.waitFor({ state: 'hidden' })
    assert.ok(!(await api.backups(params())).some(({ id }) => id === backupId))
  })

  test('a restore into a running server is refused with what to do, and works once the server is stopped', async (t) => {
    const { backupId } = await api.createBackup({ ...params(), body: { name: 'Old', ignored: 'huge.bin' } })
    await until('the backup is ready', async () =>
      (await api.backups(params())).some(({ id, state }) => id === backupId && state === 'ready'),
    )
    await api.writeFile({ ...params(), body: { file: 'level.txt', content: 'two' } })
    await running()
    const page = await open(t, 'backups')
    await page.getByRole('row').filter({ hasText: 'Old' }).getByRole('button', { name: 'Restore' }).click()
    const dialog = page.getByRole('dialog')
    const restore = dialog.getByRole('button', { name: 'Restore' })
    await dialog.getByText('It must be stopped before files can come back.').waitFor()
    assert.ok(await restore.isDisabled())
    await dialog.getByText('Everything else stays.').waitFor()
    await dialog.getByLabel('First delete what is not in the backup').check()
    await dialog.getByText('All other files of the server are deleted first.').waitFor()
    await dialog.getByText('What the backup left out stays.').waitFor()
    await assertAccessible(page)
    await dialog.getByRole('button', { name: 'Stop the server' }).click()
    await dialog.getByText('It must be stopped').waitFor({ state: 'hidden' })
    await restore.click()
    await dialog.waitFor({ state: 'hidden' })
    await until('the restore has ended', async () => (await statusOf(serverId)) === 'offline')
    assert.equal(await contentOf('level.txt'), 'one')
    await page.getByText('Offline', { exact: true }).waitFor()
  })

  test('an incremental backup is looked into, one file of it is put back, and it is checked', async (t) => {
    if (!needsRestic(t)) return
    await api.power({ ...params(), body: { action: 'stop' } })
    await until('the server is stopped', async () => (await statusOf(serverId)) === 'offline')
    for (const file of ['world/a <b>.txt', 'world/z.txt'])
      await api.writeFile({ ...params(), body: { file, content: 'before' } })
    const page = await open(t, 'backups')
    await page.getByRole('button', { name: 'New backup' }).click()
    await page.getByLabel('Name', { exact: true }).fill('Small steps')
    await page.getByRole('radio', { name: 'Incremental' }).check()
    await page.getByRole('dialog').getByRole('button', { name: 'New backup' }).click()
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    const row = page.getByRole('row').filter({ hasText: 'Small steps' })
    await row.getByText('Ready', { exact: true }).waitFor()
    for (const file of ['world/a <b>.txt', 'world/z.txt'])
      await api.writeFile({ ...params(), body: { file, content: 'after' } })
    await page.getByText('They have not been checked yet.').waitFor()
    await page.getByRole('button', { name: 'More actions for Small steps' }).click()
    await page.getByRole('menuitem', { name: 'Look inside' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'world' }).click()
    await dialog.getByRole('checkbox', { name: 'Choose a <b>.txt' }).check()
    await dialog.getByText('One entry is chosen.').waitFor()
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await dialog.getByRole('button', { name: 'Restore what is chosen' }).click()
    assert.equal(await dialog.getByLabel('Files and folders', { exact: true }).inputValue(), 'world/a <b>.txt')
    await dialog.getByRole('button', { name: 'Restore', exact: true }).click()
    await dialog.waitFor({ state: 'hidden' })
    await until('the file is back', async () => (await contentOf('world/a <b>.txt')) === 'before')
    assert.equal(await contentOf('world/z.txt'), 'after')
    await page.getByRole('button', { name: 'Check now' }).click()
    await page.getByText(/^Everything was whole on .*: 1 backups/).waitFor()
    await assertAccessible(page)
  })

  test('a database is made, its password shown and changed, and its name typed to delete it', async (t) => {
    if (!needsMariadb(t)) return
    await using mariadb = await TestMariadb.start()
    const { port, user, password } = mariadb
    await api.createDatabaseHost({ body: { name: 'eu-1', host: '127.0.0.1', port, username: user, password } })
    const page = await open(t, 'databases')
    await page.getByText('No database yet').waitFor()
    await assertAccessible(page)
    await page.getByRole('button', { name: 'New database' }).click()
    await page.getByLabel('Name', { exact: true }).fill('Shop')
    await page.keyboard.press('Enter')
    const made = page.getByRole('dialog', { name: 'Shop is ready' })
    await made.getByText(`127.0.0.1:${port}`, { exact: true }).waitFor()
    await assertAccessible(page)
    await made.getByRole('button', { name: 'Done' }).click()
    await page.getByText('1 of 5').waitFor()
    const [database] = await api.databases(params())
    assert.ok(database)
    const read = async () => (await api.databasePassword({ params: { serverId, database: database.id } })).password
    const logIn = async (given: string): Promise<void> => {
      const { host, username, database: name } = database
      await (await createConnection({ host, port, user: username, password: given, database: name })).end()
    }
    const first = await read()
    assert.equal(await page.getByText(first).count(), 0)
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.getByText(first, { exact: true }).waitFor()
    await page.getByText(`mysql://${database.username}:${first}@127.0.0.1:${port}/${database.database}`).waitFor()
    await page.getByRole('button', { name: 'New password for Shop' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'New password' }).click()
    await page.getByText(first, { exact: true }).waitFor({ state: 'hidden' })
    const second = await read()
    await page.getByText(second, { exact: true }).waitFor()
    await logIn(second)
    await assert.rejects(logIn(first), { code: 'ER_ACCESS_DENIED_ERROR' })
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.setViewportSize(screens.wide)
    await page.getByRole('button', { name: 'Delete Shop' }).click()
    const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
    assert.ok(await remove.isDisabled())
    await page.getByLabel('Type Shop to confirm').fill('Shop')
    await remove.click()
    await page.getByText('No database yet').waitFor()
    assert.deepEqual(await mariadb.ours(), [])
  })

  test('a schedule is built by keyboard, says what its pattern means, runs now and shows what became of it', async (t) => {
    const page = await open(t, 'schedules')
    await page.getByText('No schedule yet').waitFor()
    await assertAccessible(page)
    const press = async (name: string, key = 'Enter'): Promise<void> => {
      await page.getByRole('button', { name }).focus()
      await page.keyboard.press(key)
    }
    await press('New schedule')
    await page.keyboard.type('Nightly')
    await page.getByText('Every day at 04:30.').waitFor()
    await page.getByLabel('How often').focus()
    await page.keyboard.press('End')
    await page.getByLabel('Pattern').fill('0 8-17 * mon-fri')
    await page.getByText('This is not a pattern that can be understood.').waitFor()
    await page.getByLabel('Pattern').fill('0 8-17 * * mon-fri')
    await page.getByText('Every hour from 08:00 to 17:00, Monday to Friday.').waitFor()
    await page.getByLabel('Time zone').fill('Mars/Olympus')
    await page.getByText('This time zone is not known.').waitFor()
    await page.getByLabel('Time zone').fill('Asia/Kolkata')
    await page.getByText('The next five runs').waitFor()
    await press('Add command')
    await page.keyboard.type('echo by-schedule > ran.txt')
    await press('Add start or stop')
    await page.keyboard.press('Home')
    await press('Add wait')
    await page.keyboard.press('End')
    // Command, start, wait: the command goes last, and the button that moves keeps the focus.
    await press('Move down: Task 1: Command')
    await page.getByRole('button', { name: 'Move down: Task 2: Command' }).and(page.locator(':focus')).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Move down: Task 3: Command' }).and(page.locator(':focus')).waitFor()
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await press('Save')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.getByText('Time zone Asia/Kolkata').waitFor()
    await assertAccessible(page)
    await assertFits(page)
    await press('Run now: Nightly')
    await page.getByRole('status').getByText('Done', { exact: true }).waitFor()
    assert.equal(await contentOf('ran.txt'), 'by-schedule')
    await press('Results: Nightly')
    const results = page.getByRole('dialog', { name: 'Results of “Nightly”' })
    await results.getByText('By hand').waitFor()
    assert.deepEqual(
      (await results.locator('ol ol > li').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ')),
      ['Start the server done', 'Wait until the server is running done', 'Send “echo by-schedule > ran.txt” done'],
    )
    await assertAccessible(page)
  })

  test('a run that fails says at which task and why, and a schedule that is off has no next run', async (t) => {
    const body = {
      name: 'Wrong',
      cron: '@daily',
      tasks: [{ kind: 'wait', until: 'offline', timeoutSeconds: 1 } as const],
    }
    const id = await newServer('Busy', obedient)
    await api.createSchedule({ params: { serverId: id }, body })
    const page = await open(t, 'schedules', owner, id)
    await page.getByRole('button', { name: 'Run now: Wrong' }).click()
    await page.getByRole('status').getByText('Failed', { exact: true }).waitFor()
    await page.getByText(/^Task 1 failed/).waitFor()
    await page.getByLabel('Switched on: Wrong').click()
    await page.getByText('none, it is off').waitFor()
    await page.getByRole('button', { name: 'Edit: Wrong' }).click()
    await page.getByLabel('Name', { exact: true }).fill('Right')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'More actions for Right' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await page.getByText('No schedule yet').waitFor()
  })

  test('a server that may have no more says so at the button', async (t) => {
    const id = await newServer('Small')
    const none = { backups: 0, databases: 0, schedules: 0 }
    await api.updateServerLimits({ params: { serverId: id }, body: none })
    for (const [tab, button] of creations) {
      const page = await open(t, tab, owner, id)
      await saysWhyNot(page, page.getByRole('button', { name: button }), `This server may have no ${tab}.`)
    }
  })

  test('somebody who may only look is told so at every button', async (t) => {
    const reading = ['backups.read', 'databases.read', 'schedules.read'] as const
    await api.createSchedule({
      ...params(),
      body: { name: 'Theirs', cron: '@weekly', tasks: [{ kind: 'power', action: 'restart' }] },
    })
    const given = { userEmail: 'friend@example.com', permissions: [...reading] }
    const { invitationUrl } = await api.createSubuser({ ...params(), body: given })
    const context = await browser.newContext({ locale: 'en-GB' })
    const joining = await context.newPage()
    await joining.goto(String(invitationUrl))
    await joining.getByLabel('Password').fill('another horse battery')
    await joining.getByRole('button', { name: 'Join' }).click()
    await joining.getByRole('link', { name: 'Lobby' }).waitFor()
    const friend = await context.storageState()
    await context.close()
    const buttons: Record<Tab, string[]> = {
      backups: ['New backup', 'Restore', 'Download'],
      databases: ['New database'],
      schedules: ['New schedule', 'Run now: Theirs', 'Edit: Theirs'],
    }
    for (const [tab] of creations) {
      const page = await open(t, tab, friend)
      for (const name of buttons[tab])
        await saysWhyNot(page, page.getByRole('button', { name }).first(), 'You have no permission for this.')
      await assertAccessible(page)
      await page.setViewportSize(screens.small)
      await assertFits(page)
    }
  })

  const creations = [
    ['backups', 'New backup'],
    ['databases', 'New database'],
    ['schedules', 'New schedule'],
  ] as const satisfies readonly (readonly [Tab, string])[]
})

async function makeBackup(page: Page, name: string, ignored = ''): Promise<void> {
  await page.getByRole('button', { name: 'New backup' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.getByLabel('Leave out').fill(ignored)
  await page.getByRole('dialog').getByRole('button', { name: 'New backup' }).click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
}

/** The button takes no click, and tells the reason to whoever comes to it. */
async function saysWhyNot(page: Page, button: Locator, reason: string): Promise<void> {
  await button.waitFor()
  await unavailable(button)
  // Tips come to whoever moves by keyboard: after a click, focus alone would bring none.
  await page.keyboard.press('Tab')
  await button.focus()
  await page.getByRole('tooltip').filter({ hasText: reason }).waitFor()
}

const keyOf = (id: string): string => id.slice(id.indexOf('/') + 1)

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + patienceMs; !(await holds()); ) {
    if (performance.now() > end) throw new Error(`${what}: it never came`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
