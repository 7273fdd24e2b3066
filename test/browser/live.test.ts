import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import { accept, answerWith, startReceiver, verified } from '../world/webhook-receiver.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens, unavailable } from './browser.ts'
import { becomeOwner, join, type Owner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

/** What the browser says of requests that find no panel, or of a server that somebody may no longer see. */
const away =
  /ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|WebSocket|Failed to load|40[134]|Server [0-9a-f]+ not found|which you were not given/

describe('a page that is open while things happen', { skip: noBrowser, timeout: 4 * patienceMs }, () => {
  const closer = new AsyncDisposableStack()
  let product: Product
  let browser: Browser
  let owner: Owner
  let receiver: Awaited<ReturnType<typeof startReceiver>>
  before(async () => {
    product = closer.use(await startProduct({ '--webhook-networks': '127.0.0.0/8' }))
    receiver = closer.use(await startReceiver())
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

  test('lets who moves by keyboard scroll its console, and go on from there', async (t) => {
    const page = await enter(t)
    await runServer(
      page,
      'Long',
      'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo "line $i"; done; echo the last one; sleep 600',
    )
    await waitForLine(page, 'the last one')
    const lines = page.getByRole('textbox', { name: 'Lines of the console' })
    await page.getByRole('button', { name: 'To the newest line' }).focus()
    await page.keyboard.press('Tab')
    await lines.and(page.locator(':focus')).waitFor()
    await page.keyboard.press('Home')
    await waitForLine(page, 'line 1')
    await page.keyboard.press('End')
    await waitForLine(page, 'the last one')
    await page.keyboard.press('Control+k')
    await page.getByPlaceholder(/Go to a page/).waitFor()
    await page.keyboard.press('Escape')
    await lines.and(page.locator(':focus')).waitFor()
    await page.keyboard.press('Tab')
    await page.getByRole('textbox', { name: 'Command for the console' }).and(page.locator(':focus')).waitFor()
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
    await join(theirs, invitationUrl)
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

  test('a crash is told at once, in words, with last lines that do nothing; names of players are shown as they are', async (t) => {
    const page = await enter(t)
    // What a hostile game may say; how games say it is tested where they are asked.
    const hostile = {
      ...{ online: 5, max: 20, names: ['<b>Steve</b>', 'Alex', 'Alex'], description: '<i>Hi</i>' },
      ...{ version: '1.21', latencyMs: 4, at: new Date().toISOString(), message: null },
    }
    await page.route('**/api/v1/servers/*/players', (route) =>
      route.fulfill({ json: { success: true, data: hostile } }),
    )
    const id = await runServer(
      page,
      'Fragile',
      `read word; printf '\\033[31m<img src=x onerror=alert(1)>\\033[0m\\n'; exit 127`,
    )
    const list = page.getByRole('list', { name: 'Who plays' })
    await list.waitFor()
    assert.deepEqual(await list.getByRole('listitem').allTextContents(), ['<b>Steve</b>', 'Alex', 'Alex'])
    await page.getByText('and 2 more').waitFor()
    await page.getByRole('link', { name: 'Crashes', exact: true }).click()
    await page.getByText('It has never crashed').waitFor()
    await owner.api.consoleCommand({ params: { serverId: id }, body: { command: 'go' } })
    await page.getByText('was not found: look at the start-up').waitFor()
    const lines = page.locator('pre').filter({ hasText: '<img src=x onerror=alert(1)>' })
    assert.doesNotMatch((await lines.textContent()) ?? '', /\[31m|\[0m/)
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
  })

  test('a server is told to sleep, and where to run; who may only look is told so at every button', async (t) => {
    const page = await enter(t, /400/)
    const { id } = await owner.api.createServer({ body: { name: 'Sleepy', template: 'command', start: false } })
    const params = { serverId: id.replace('servers/', '') }
    await page.goto(`${product.origin}/servers/${params.serverId}/settings`)
    const sleep = page.locator('form').filter({ has: page.getByLabel('Minutes without anybody until it sleeps') })
    await sleep.getByRole('switch').click()
    await sleep.getByLabel('Minutes without anybody until it sleeps').fill('5')
    await sleep.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.', { exact: true }).waitFor()
    assert.deepEqual((await owner.api.server({ params })).wakeOnConnect, { enabled: true, idleMinutes: 5 })
    await page.getByRole('radio', { name: 'In a container' }).check()
    await page.getByRole('button', { name: 'Save' }).nth(2).click()
    await page.getByRole('alert').getByText('image').waitFor()
    await assertAccessible(page)
    const { invitationUrl } = await owner.api.createSubuser({
      params,
      body: { userEmail: 'reader@example.com', permissions: ['settings.read'] },
    })
    const theirs = await openPage(t, browser, { tolerated: away })
    await join(theirs, invitationUrl)
    await theirs.goto(`${product.origin}/servers/${params.serverId}/settings`)
    await theirs.getByText('What it may use').waitFor()
    for (const button of await theirs.getByRole('button', { name: 'Save' }).all()) await unavailable(button)
    assert.ok(await theirs.getByLabel('Minutes without anybody until it sleeps').isDisabled())
    assert.equal(await theirs.getByRole('link', { name: 'Crashes', exact: true }).count(), 0)
    await theirs.goto(`${product.origin}/servers/${params.serverId}/crashes`)
    await theirs.getByText('Ask its owner.').waitFor()
    await theirs.goto(`${product.origin}/webhooks`)
    await theirs.getByText('Only owners and admins of a workspace').waitFor()
  })

  test('a webhook is made by keyboard, its secret shown once, and what arrives is signed with it', async (t) => {
    receiver.answers(accept)
    const page = await enter(t, /400/)
    await page.goto(`${product.origin}/webhooks`)
    await page.getByRole('button', { name: 'New webhook' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'New webhook' })
    await dialog.getByLabel('Address').fill('ftp://example.org')
    await dialog.getByLabel('What it is for').fill('Our bot')
    await page.keyboard.press('Enter')
    await dialog.getByText('must begin with https:// or http://').waitFor()
    await assertAccessible(page)
    await dialog.getByLabel('Address').fill(receiver.url)
    await page.keyboard.press('Enter')
    const made = page.getByRole('dialog', { name: 'The webhook is made' })
    const secret = (await made.locator('pre').textContent()) ?? ''
    assert.match(secret, /^whsec_/)
    await made.getByRole('button', { name: 'To the webhook' }).click()
    await page.getByRole('heading', { level: 1, name: 'Our bot' }).waitFor()
    assert.equal(await page.getByText(secret).count(), 0)
    await page.setViewportSize(screens.small)
    const row = page.getByRole('row').filter({ hasText: 'This is a test.' })
    await page.getByRole('button', { name: 'Send a test' }).click()
    await row.getByText('delivered', { exact: true }).waitFor()
    verified(receiver.received.at(-1) ?? assert.fail('nothing arrived'), secret)
    await assertFits(page)
    await assertAccessible(page)
  })

  test('a webhook that its receiver wants no more says why it is off, and is switched on again', async (t) => {
    receiver.answers(answerWith(410))
    const { webhook } = await owner.api.createWebhook({
      body: { format: 'json', url: receiver.url, events: ['server.crashed'], label: 'Gone' },
    })
    const page = await enter(t)
    await page.goto(`${product.origin}/webhooks/${webhook.id}`)
    await page.getByText('Nothing has happened yet').waitFor()
    const test = page.getByRole('button', { name: 'Send a test' })
    await test.click()
    await page.getByRole('alert').getByText('nothing is told until it is on again').waitFor()
    await unavailable(test)
    await assertAccessible(page)
    receiver.answers(accept)
    await page.getByRole('button', { name: 'Switch on' }).click()
    await page.getByText('works', { exact: true }).waitFor()
    await test.click()
    const delivered = page
      .getByRole('row')
      .filter({ hasText: 'This is a test.' })
      .getByText('delivered', { exact: true })
    await delivered.first().waitFor()
  })
})
