import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { startAgent } from '../../src/agent/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { Secret } from '../../src/lib/secret.ts'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens } from './browser.ts'
import { becomeOwner, type Owner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

describe('the page of a tunnel', { skip: noBrowser, timeout: 5 * patienceMs }, () => {
  const closer = new AsyncDisposableStack()
  const got: { method: string; url: string; headers: IncomingHttpHeaders; body: string }[] = []
  let product: Product
  let browser: Browser
  let owner: Owner
  let tunnel: string
  let address: URL

  before(async () => {
    product = closer.use(await startProduct())
    browser = await launchBrowser()
    closer.defer(() => browser.close())
    owner = await becomeOwner(product, browser)
    const service = createServer(async (asked, answer) => {
      const { method = '', url = '', headers } = asked
      // One of them is cut off in the middle.
      got.push({ method, url, headers, body: await text(asked).catch(() => '') })
      answer.setHeader('content-type', 'text/html')
      answer.end('<script>document.title = "owned"</script>')
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    closer.defer(() => {
      service.closeAllConnections()
      service.close()
    })
    const { token } = await owner.api.createToken({ body: { label: 'agent' } })
    const { edges } = await owner.api.edges()
    const opened = Promise.withResolvers<string>()
    closer.use(
      startAgent({
        edges: edges.map(({ host, port, pin }) => ({ host, port, pin })),
        credential: () => new Secret(token),
        tunnels: [
          {
            id: 'web',
            request: { kind: 'http', name: 'web' },
            target: { host: '127.0.0.1', port: (service.address() as AddressInfo).port },
          },
        ],
        log: silentLog,
        onEvent: (event) => {
          if (event.type === 'opened') opened.resolve(event.url)
        },
      }),
    )
    address = new URL(await opened.promise)
    tunnel = (await owner.api.tunnels()).tunnels.find(({ name }) => name === 'web')?.id ?? assert.fail()
  })
  after(() => closer.disposeAsync())

  const visit = (path: string, body = '', headers: Record<string, string> = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      const { host, port } = address
      const asking = request(
        { host: '127.0.0.1', port, path, method: 'POST', agent: false, headers: { host, ...headers } },
        (answer) => text(answer).then(resolve, reject),
      )
      asking.once('error', reject)
      asking.end(body)
    })

  test('shows what visitors ask, keeps more once it is told to, and sends it again, edited or not', async (t) => {
    const page = await openPage(t, browser, { storageState: owner.session })
    await page.goto(`${product.origin}/tunnels`)
    await page.getByRole('link', { name: 'web', exact: true }).click()
    await page.getByText('Nobody has asked for anything yet').waitFor()
    await visit('/<img/src=x/onerror=alert(1)>?token=secret')
    await page.getByText('/<img/src=x/onerror=alert(1)>?token=[redacted]').waitFor()
    await page.getByLabel('Of each request').selectOption({ label: 'That, with headers and bodies' })
    await page.getByText('Keep them while you need them, and no longer.').waitFor()
    await assertAccessible(page)
    await page.getByRole('form', { name: 'What is kept' }).getByRole('button', { name: 'Save' }).click()
    await page.getByText('It is kept so from now on.').waitFor()

    await visit('/hook', '{"order":1}', { authorization: 'Bearer hidden', 'x-plain': '<b>bold</b>' })
    await page.getByRole('button', { name: 'Show: POST /hook' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('{"order":1}').waitFor()
    await dialog.getByText(/authorization: \[redacted\]/).waitFor()
    await dialog.getByText('<script>document.title = "owned"</script>').waitFor()
    await assertAccessible(page)
    await dialog.getByRole('button', { name: 'Send again', exact: true }).click()
    await page.getByText('Sent again: 200').waitFor()
    const again = got.at(-1)
    assert.deepEqual([again?.body, again?.headers.authorization], ['{"order":1}', 'Bearer hidden'])
    assert.ok(again?.headers['pharos-replay'])

    await dialog.getByRole('button', { name: 'Edit and send again' }).click()
    const form = page.getByRole('dialog', { name: 'Edit and send again' })
    await form.getByLabel('Path and query').fill('/hook?edited=1')
    await form.getByLabel('Body').fill('{"order":2}')
    await form.getByRole('button', { name: 'Send again' }).click()
    await form.waitFor({ state: 'hidden' })
    const edited = got.at(-1)
    assert.deepEqual(
      [edited?.method, edited?.url, edited?.body, edited?.headers.authorization],
      ['POST', '/hook?edited=1', '{"order":2}', 'Bearer hidden'],
    )
    assert.doesNotMatch(await page.title(), /owned/)
  })

  test('shows who is connected, cuts one off, and fits a small screen', async (t) => {
    const page = await openPage(t, browser, { storageState: owner.session })
    const socket = await new Promise<{ closed: Promise<unknown> }>((resolve, reject) => {
      const { port } = address
      const asking = request({
        host: '127.0.0.1',
        port,
        path: '/',
        headers: { host: address.host, connection: 'keep-alive' },
      })
      asking.once('error', reject)
      asking.once('socket', (own) => {
        const closed = new Promise((done) => own.once('close', done))
        own.on('error', () => undefined)
        // It never ends, so the connection stays.
        asking.setHeader('transfer-encoding', 'chunked')
        asking.flushHeaders()
        asking.on('error', () => undefined)
        own.once('connect', () => resolve({ closed }))
      })
    })
    await page.goto(`${product.origin}/tunnels/${tunnel}`)
    await page.getByRole('button', { name: /Cut off: 127\.0\.0\.1/ }).click()
    await page.getByText('The connection is cut.').waitFor()
    await socket.closed
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.goto(`${product.origin}/tunnels/tun_nothing`)
    await page.getByText('There is no such tunnel').waitFor()
  })
})
