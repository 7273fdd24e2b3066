import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { BrowserContext, BrowserContextOptions } from 'playwright-core'
import { launchBrowser, screens } from '../test/browser/browser.ts'
import { startProduct } from '../test/browser/product.ts'
import { buildWeb } from './build-web.js'
import { empty, inside, outside, type Shot } from './screenshot-pages.ts'
import { emptyWorkspace, fill } from './screenshot-world.ts'

/**
 * `npm run screenshots [-- --de] [words of file names]`: every page, dark and light, wide and small, of a real product with something in it, into
 * `screenshots/` (not committed), for a person to look at. With `--de` in German.
 */
const root = join(import.meta.dirname, '..')
/** Requests are under way, or live figures on their way, for that long after a page has loaded, ms. */
const settleMs = 1_200
/** What has been laid out anew for another screen or in other colours is painted by then, ms. */
const repaintMs = 250

const { values, positionals: words } = parseArgs({ options: { de: { type: 'boolean' } }, allowPositionals: true })
const language = values.de ? 'de' : 'en'
const folder = join(root, 'screenshots', language)
const isWanted = ([name]: [string, Shot]): boolean => words.length === 0 || words.some((word) => name.includes(word))

await buildWeb(root)
await mkdir(folder, { recursive: true })
await using product = await startProduct({ '--webhook-networks': '127.0.0.0/8' })
const browser = await launchBrowser()
try {
  await using world = await fill(product, browser)
  const { session } = world.owner
  await shoot(outside, {})
  await shoot(inside, { storageState: session })
  await shoot(empty, { storageState: session }, (context) =>
    context.addInitScript(`localStorage.setItem('pharos.workspace', '${emptyWorkspace}')`),
  )

  async function shoot(
    shots: Record<string, Shot>,
    person: BrowserContextOptions,
    prepare?: (context: BrowserContext) => Promise<unknown>,
  ): Promise<void> {
    const context = await browser.newContext({
      ...person,
      locale: language === 'de' ? 'de-DE' : 'en-GB',
      reducedMotion: 'reduce',
    })
    await prepare?.(context)
    for (const [name, { path, act }] of Object.entries(shots).filter(isWanted)) {
      const page = await context.newPage()
      page.on('pageerror', (error) => console.error(name, String(error)))
      await page.goto(product.origin + path.replace(/\{(\w+)\}/, (_all, id) => world.ids[id] ?? ''))
      await page.waitForTimeout(settleMs)
      await act?.(page).catch((error: unknown) => console.error(name, String(error)))
      for (const [size, viewport] of Object.entries(screens))
        for (const colorScheme of ['dark', 'light'] as const) {
          await page.setViewportSize(viewport)
          await page.emulateMedia({ colorScheme })
          await page.waitForTimeout(repaintMs)
          // What lies in front of a page is seen with a screen's worth of it behind.
          const fullPage = act === undefined && !name.startsWith('api')
          await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage })
          const wide = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          )
          if (wide !== 0) console.error(`${name} is ${wide} px too wide on a ${size} screen`)
        }
      await page.close()
    }
    await context.close()
  }
} finally {
  await browser.close()
}
console.log(`Written to ${folder}`)
