import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Secret, TOTP } from 'otpauth'
import type { Browser, Page } from 'playwright-core'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens } from './browser.ts'
import { type Product, startProduct } from './product.ts'

const password = 'correct horse battery'
const stepMs = 30_000
const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEz33NQkr6NVBDnAQSfsN6gMRfmfJNuhqRNRgWBIqK11 me@laptop'

describe('somebody who guards their account', { skip: noBrowser, timeout: 3 * patienceMs }, () => {
  let product: Product
  let browser: Browser
  /** By name: browsers keep passkeys for names, not for addresses. */
  let origin: string
  before(async () => {
    product = await startProduct()
    origin = product.origin.replace('127.0.0.1', 'localhost')
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
  })

  const signIn = async (page: Page): Promise<void> => {
    await page.goto(`${origin}/sign-in?next=/account`)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  }
  const answer = async (page: Page, code: string): Promise<void> => {
    await page.getByLabel('Code').fill(code)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  }

  /** Approves what one terminal asks, and denies another one. */
  const letTerminalsIn = async (page: Page): Promise<void> => {
    const terminal = createClient(publicOperations, { baseUrl: `${origin}/api/v1` })
    const begin = async (client: string) => {
      const begun = await terminal.beginDeviceSignIn({ body: { client } })
      await page.getByLabel('Code').fill(begun.user_code.toLowerCase())
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.getByText(client).waitFor()
      return () => terminal.pollDeviceSignIn({ body: { device_code: begun.device_code } })
    }
    await page.goto(`${origin}/device`)
    await page.getByLabel('Code').fill('BBBB-BBBB')
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('alert').getByText('No sign-in waits for this code').waitFor()
    await assertAccessible(page)
    const poll = await begin('pharos on <b>laptop</b>')
    await page.getByText('Acme Games (acmegames)').waitFor()
    await page.getByText('What the key may do in the workspace').click()
    await page.getByText('tunnels.open').waitFor()
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.setViewportSize(screens.wide)
    await page.getByLabel('The key ends').selectOption('30')
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('Approved. The program signs in by itself').waitFor()
    const given = await poll()
    assert.ok('access_token' in given && given.expires_at !== null)
    assert.equal((await product.client(given.access_token).workspace()).name, 'Acme Games')
    await page.getByRole('button', { name: 'Another code' }).click()
    const refused = await begin('somebody else')
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.getByText('Denied. The program is told so.').waitFor()
    assert.deepEqual(await refused(), { error: 'access_denied' })
  }

  test('turns on codes, signs in with one of the app, and with a recovery code once', async (t) => {
    const page = await openPage(t, browser, { tolerated: /40[14]/ })
    await page.goto(product.setupLink.replace('127.0.0.1', 'localhost'))
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill(password)
    await page.getByLabel('What your workspace is called').fill('Acme Games')
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByRole('button', { name: 'Create and start' }).waitFor()
    await page.goto(`${origin}/account`)
    await page.getByRole('button', { name: 'Add an SSH key' }).click()
    await page.getByLabel('Public key').fill(publicKey)
    await page.getByLabel('Your password').fill(password)
    await assertAccessible(page)
    await page.getByRole('dialog').getByRole('button', { name: 'Add an SSH key' }).click()
    await page.getByRole('cell', { name: 'me@laptop', exact: true }).waitFor()
    await letTerminalsIn(page)
    await page.goto(`${origin}/account`)
    await page.getByRole('button', { name: 'Turn on' }).click()
    await page.getByLabel('Your password').fill(password)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor()
    await assertAccessible(page)
    const secret = (await page.getByRole('dialog').locator('code').textContent()) ?? ''
    const app = new TOTP({ secret: Secret.fromBase32(secret) })
    const first = Date.now()
    await page.getByLabel('Code from the app').fill(app.generate({ timestamp: first }))
    await page.getByRole('dialog').getByRole('button', { name: 'Turn on' }).click()
    const codes = ((await page.getByRole('dialog').locator('pre').textContent()) ?? '').trim().split('\n')
    assert.equal(codes.length, 10)
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.getByRole('button', { name: 'I have kept them' }).click()
    await page.getByText('You have 10 recovery codes left.').waitFor()
    await assertFits(page)

    const other = await openPage(t, browser, { tolerated: /401/ })
    await signIn(other)
    await other.getByRole('heading', { name: 'One more step' }).waitFor()
    await assertAccessible(other)
    // The code that turned it on is used up.
    await answer(other, app.generate({ timestamp: first }))
    await other.getByRole('alert').waitFor()
    // The next one: phones may be that early, and on a slow machine it is still good when it arrives.
    await answer(other, app.generate({ timestamp: Date.now() + stepMs }))
    await other.getByRole('heading', { name: 'Passkeys' }).waitFor()

    const third = await openPage(t, browser, { tolerated: /401/ })
    await signIn(third)
    await answer(third, codes[0] ?? '')
    await third.getByText('You have 9 recovery codes left.').waitFor()
    const fourth = await openPage(t, browser, { tolerated: /401/ })
    await signIn(fourth)
    await answer(fourth, codes[0] ?? '')
    await fourth.getByRole('alert').waitFor()

    await page.getByRole('button', { name: 'Add a passkey' }).waitFor()
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('WebAuthn.enable')
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    await page.getByLabel('Name').fill('This laptop')
    await page.getByLabel('Your password').fill(password)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('cell', { name: 'This laptop', exact: true }).waitFor()
    await assertFits(page)
    await page.context().clearCookies()
    await page.goto(`${origin}/sign-in?next=/account`)
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByRole('cell', { name: 'This laptop', exact: true }).waitFor()
  })
})
