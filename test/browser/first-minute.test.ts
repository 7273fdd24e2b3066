import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens } from './browser.ts'
import { type Product, startProduct } from './product.ts'

describe('somebody who never saw it', { skip: noBrowser, timeout: 2 * patienceMs }, () => {
  let product: Product
  let browser: Browser
  before(async () => {
    product = await startProduct()
    browser = await launchBrowser()
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
  })

  test('gets from the printed link to a running server by clicking, and sees its console and its address', async (t) => {
    const page = await openPage(t, browser)
    await page.goto(product.setupLink)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByLabel('What your workspace is called').fill('Acme Games')
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Begin' }).click()
    await page.getByRole('radio', { name: 'Command' }).check({ force: true })
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Create and start' }).click()
    await page.getByText('Running', { exact: true }).waitFor()
    await page.getByText(/^127\.0\.0\.1:\d+$/).waitFor()
    await page.getByRole('textbox', { name: 'Command for the console' }).fill('hello there')
    await page.keyboard.press('Enter')
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
  })

  test('who is signed out by the panel comes back to where they were', async (t) => {
    const page = await openPage(t, browser)
    await page.goto(`${product.origin}/servers/new`)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('button', { name: 'Create and start' }).waitFor()
    assert.equal(new URL(page.url()).pathname, '/servers/new')
  })

  test('is told when the password is wrong, without losing what was typed', async (t) => {
    const page = await openPage(t, browser, { tolerated: /401/ })
    await page.goto(`${product.origin}/`)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill('wrong password')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('alert').waitFor()
    assert.equal(await page.getByLabel('E-mail address').inputValue(), 'me@example.com')
    await assertAccessible(page)
  })

  test('never leaves the panel by a link to the sign-in that names another site', async (t) => {
    const page = await openPage(t, browser)
    await page.goto(`${product.origin}/sign-in?next=${encodeURIComponent('//evil.example/')}`)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'Servers' }).waitFor()
    assert.equal(new URL(page.url()).origin, product.origin)
  })

  test('sees that the panel is away, and that it is back, without touching anything', async (t) => {
    const page = await openPage(t, browser, { tolerated: /ERR_CONNECTION_REFUSED|WebSocket|Failed to load/ })
    await page.goto(`${product.origin}/servers`)
    await page.getByLabel('E-mail address').fill('me@example.com')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('link', { name: 'Command' }).waitFor()
    const lost = page.getByText('The connection to the panel is lost')
    const restarted = product.restart()
    await lost.waitFor()
    await restarted
    await lost.waitFor({ state: 'hidden' })
    await page.getByText('Running', { exact: true }).waitFor()
  })
})
