import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens } from './browser.ts'
import { becomeOwner, type Owner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

/** What the browser says of requests that find no panel, or of a server that somebody may no longer see. */
const away =
  /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket|Failed to load|40[134]|Server [0-9a-f]+ not found/

describe('a page that is open while things happen', { skip: noBrowser, timeout: 4 * patienceMs }, () => {
  const closer = new AsyncDisposableStack()
  let product: Product
  let browser: Browser
  let owner: Owner
  before(async () => {
    product = closer.use(await startProduct())
    browser = await launchBrowser()
    closer.defer(() => browser.close())
    owner = await becomeOwner(product, browser)
  })
  after(() => closer.disposeAsync())

  const enter = (t: TestContext, tolerated?: RegExp): Promise<Page> =>
    openPage(t, browser, { storageState: owner.session, ...(tolerated ? { tolerated } : {}) })
  /** A server that runs that line of shell, and its id; its console is open. */
  const runServer = async (page: Page, name: string, command: string): Promise<string> => {
    const created = await owner.api.createServer({
      body: { name, template: 'command', variables: { COMMAND: command }, restartOnCrash: false },
    })
    const id = created.id.replace('servers/', '')
    await page.goto(`${product.origin}/servers/${id}/console`)
    await page.getByText('Running', { exact: true }).first().waitFor()
    return id
  }
  const linesOf = async (page: Page): Promise<string> => (await page.locator('.xterm-rows').textContent()) ?? ''
  /** Waits for what the terminal draws: its rows are made anew with every frame. */
  const waitForLine = (page: Page, text: string): Promise<void> =>
    page.locator('.xterm-rows').getByText(text, { exact: false }).first().waitFor()

  test('answers while thousands of lines a second pass through its console, and shows the newest at the end', async (t) => {
    const page = await enter(t)
    const lines = 25_000
    // Waits for a word, so that nothing has passed before the console is looked at; then a hundred lines every 20 ms.
    const flood = `read word; i=0; while [ $i -lt ${lines} ]; do i=$((i+1)); echo "flood $i of ${lines}"; [ $((i % 100)) -eq 0 ] && sleep 0.02; done; echo the end is here; sleep 600`
    await runServer(page, 'Flood', flood)
    const command = page.getByRole('textbox', { name: 'Command for the console' })
    await command.fill('go')
    await command.press('Enter')
    await waitForLine(page, 'flood')
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder(/Go to a page/).waitFor()
    await page.keyboard.press('Escape')
    await page.getByPlaceholder(/Go to a page/).waitFor({ state: 'hidden' })
    await waitForLine(page, 'the end is here')
    assert.match(await linesOf(page), new RegExp(`flood ${lines} of ${lines}`))
  })

  test('shows colours of a game, and nothing of its other sequences', async (t) => {
    const page = await enter(t)
    await runServer(
      page,
      'Colours',
      `printf '\\033]0;stolen\\007\\033[31mred\\033[0m then plain\\033[2J\\n'; sleep 600`,
    )
    await waitForLine(page, 'then plain')
    const red = page.locator('.xterm-rows span[class*="xterm-fg-1"]')
    assert.equal(await red.first().textContent(), 'red')
    assert.doesNotMatch(await page.title(), /stolen/)
    assert.match(await linesOf(page), /red then plain/)
  })

  test('loses no line of its console and doubles none while the panel restarts', async (t) => {
    const page = await enter(t, away)
    await runServer(page, 'Count', 'i=0; while read word; do i=$((i+1)); echo "counted $i"; done')
    const command = page.getByRole('textbox', { name: 'Command for the console' })
    const say = async (): Promise<void> => {
      await command.fill('once more')
      await command.press('Enter')
    }
    await say()
    await waitForLine(page, 'counted 1')
    const restarted = product.restart()
    const disconnected = page.getByText('Not connected: trying again')
    await disconnected.waitFor()
    await restarted
    await page.getByText('The panel is back.').waitFor()
    await disconnected.waitFor({ state: 'hidden' })
    await page.getByText('Running', { exact: true }).first().waitFor()
    await say()
    await waitForLine(page, 'counted 2')
    assert.deepEqual((await linesOf(page)).match(/counted \d+/g), ['counted 1', 'counted 2'])
  })

  test('closes to somebody whose access ends, without a touch of theirs', async (t) => {
    const page = await enter(t)
    const id = await runServer(page, 'Shared', 'echo hello; sleep 600')
    const { invitationUrl } = await owner.api.createSubuser({
      params: { serverId: id },
      body: { userEmail: 'friend@example.com', permissions: ['console.read'] },
    })
    const theirs = await openPage(t, browser, { tolerated: away })
    await theirs.goto(invitationUrl ?? 'no link')
    await theirs.getByLabel('Password').fill('another horse battery')
    await theirs.getByRole('button', { name: 'Join' }).click()
    await theirs.getByRole('link', { name: 'Shared' }).click()
    await waitForLine(theirs, 'hello')
    const [subuser] = await owner.api.subusers({ params: { serverId: id } })
    await owner.api.deleteSubuser({ params: { serverId: id, subuser: subuser?.id ?? 'nobody' } })
    await theirs.getByRole('heading', { name: 'There is nothing here' }).waitFor()
  })

  test('reads the API and tries it, and is asked before anything changes', async (t) => {
    const page = await enter(t, /400/)
    await page.goto(`${product.origin}/servers`)
    await page.getByRole('link', { name: 'API reference' }).click()
    await page.getByRole('searchbox', { name: 'Search operations' }).fill('/api/v1/account')
    await assertAccessible(page)
    await page.getByRole('button', { name: /GET \/api\/v1\/account\b(?!\/)/ }).click()
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    const answer = page.getByRole('region', { name: 'The answer' })
    await answer.getByText('me@example.com').waitFor()
    await assertAccessible(page)
    await page.getByRole('searchbox', { name: 'Search operations' }).fill('createServer')
    await page.getByRole('button', { name: /POST \/api\/v1\/servers\b/ }).click()
    await page.getByRole('textbox', { name: 'Body' }).fill('{"name":"x"}')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    const asked = page.getByRole('dialog', { name: 'Send this for real?' })
    await asked.getByRole('button', { name: 'Send' }).click()
    await answer.getByText(/template/).waitFor()
    await page.setViewportSize(screens.small)
    await assertFits(page)
  })
})
