import type { Browser, BrowserContext, Page } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import type { Product } from './product.ts'

export interface Owner {
  /** What a browser needs to be the owner: pass it to `openPage`. */
  session: Awaited<ReturnType<BrowserContext['storageState']>>
  /** The API with a key of the owner. */
  api: ReturnType<Product['client']>
}

/** Sets a fresh product up in the browser, as its first person does. */
export async function becomeOwner(product: Product, browser: Browser): Promise<Owner> {
  const context = await browser.newContext({ locale: 'en-GB' })
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs)
  page.setDefaultNavigationTimeout(patienceMs)
  await page.goto(product.setupLink)
  await page.getByLabel('E-mail address').fill('me@example.com')
  await page.getByLabel('Password').fill('correct horse battery')
  await page.getByLabel('What your workspace is called').fill('Acme Games')
  await page.getByRole('button', { name: 'Begin' }).click()
  await page.getByRole('button', { name: 'Create and start' }).waitFor()
  const { token } = await page.evaluate(async () => {
    const reply = await fetch('/api/v1/tokens', { method: 'POST' })
    return (await reply.json()) as { token: string }
  })
  const session = await context.storageState()
  await context.close()
  return { session, api: product.client(token) }
}

/** Follows an invitation as somebody who has no account yet. */
export async function join(page: Page, link: string | null): Promise<void> {
  await page.goto(link ?? 'there is no link')
  await page.getByLabel('Password').fill('another horse battery')
  await page.getByRole('button', { name: 'Join' }).click()
  await page.waitForURL('**/servers')
}
