import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { TestContext } from 'node:test'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core'
import { patienceMs } from '../patience.ts'

const program = '/usr/bin/chromium'

/** Why the browser's tests cannot run here; undefined where they can. Under CI=true a missing browser is a failure, not a skip. */
export const noBrowser: string | undefined =
  existsSync(program) || process.env.CI === 'true' ? undefined : `${program} is not installed: apt-get install chromium`

/** Debian's Chromium, without a window and without talking to anybody else. */
export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: program,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** Screens that every page must fit: a small phone and a usual window. */
export const screens = { small: { width: 360, height: 740 }, wide: { width: 1280, height: 800 } } as const

/**
 * A page of a person of its own; when the test fails, what is on it is told. Whatever the browser complains of while the test runs fails it at its end: errors of scripts, of
 * the console, breaches of the content security policy. `tolerated`: complaints that the test brings about, such as of a request that is refused.
 *
 * Pages of one signed-in person are windows of one browser, whose cache is warm after the first; with `elsewhere`, of another one.
 */
export async function openPage(
  t: TestContext,
  browser: Browser,
  options: BrowserContextOptions & { tolerated?: RegExp; elsewhere?: boolean } = {},
): Promise<Page> {
  const { tolerated, elsewhere = false, ...settings } = options
  const person = elsewhere ? undefined : personOf(settings)
  const context = await (person ? contextOf(browser, person) : newContext(browser, settings))
  const page = await context.newPage()
  page.setDefaultTimeout(patienceMs / 2)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} (${message.location().url})`)
  })
  t.after(async () => {
    // What somebody would have seen says more than which words were missing.
    const { passed } = t as TestContext & { readonly passed: boolean } // The types of Node do not know it yet.
    if (!passed) t.diagnostic(`${page.url()} shows:\n${await page.locator('body').ariaSnapshot().catch(String)}`)
    await (person ? page : context).close()
    const rest = complaints.filter((complaint) => !tolerated?.test(complaint))
    assert.deepEqual(rest, [], 'the browser complained')
  })
  return page
}

/** Waits until the button takes no click: what that depends on may be known after the button is there. */
export const unavailable = (button: Locator): Promise<void> =>
  button.and(button.page().locator('[aria-disabled=true]')).waitFor()

type Person = NonNullable<BrowserContextOptions['storageState']> & object

/** Who looks, where that is all that is said of the browser. */
function personOf({ storageState, ...others }: BrowserContextOptions): Person | undefined {
  return typeof storageState === 'object' && Object.keys(others).length === 0 ? storageState : undefined
}

/** The browsers of people, closed with the process of Chromium. */
const contexts = new WeakMap<Person, Promise<BrowserContext>>()

function contextOf(browser: Browser, person: Person): Promise<BrowserContext> {
  const known = contexts.get(person) ?? newContext(browser, { storageState: person })
  contexts.set(person, known)
  return known
}

const newContext = (browser: Browser, settings: BrowserContextOptions): Promise<BrowserContext> =>
  browser.newContext({ viewport: screens.wide, locale: 'en-GB', reducedMotion: 'reduce', ...settings })

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** Fails where an automated checker finds that the page is not accessible: WCAG 2.2, A and AA. */
export async function assertAccessible(page: Page): Promise<void> {
  // Injected by the debugger's own path: the policy of the pages lets no foreign script in.
  const source = await import('node:fs/promises').then(({ readFile }) => readFile(axe, 'utf8'))
  await page.evaluate(source)
  await page.evaluate(async () => {
    const { document } = globalThis as unknown as { document: { getAnimations(): AnimationLike[] } }
    // In the middle of a fade everything is too pale. What turns for ever is not waited for.
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().iterations !== Infinity)
    await Promise.all(ending.map(({ finished }) => finished.catch(() => undefined)))
  })
  const violations = await page.evaluate(async () => {
    const { axe: checker, document } = globalThis as unknown as { axe: AxeLike; document: unknown }
    const found = await checker.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    })
    return found.violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary ?? ''}`).join(' | ')}`,
    )
  })
  assert.deepEqual(violations, [], `${page.url()} is not accessible`)
}

/** The part of the browser's own types that is used: the tests are compiled without them. */
interface AnimationLike {
  effect: { getComputedTiming(): { iterations?: number } } | null
  finished: Promise<unknown>
}

interface AxeLike {
  run(
    root: unknown,
    options: unknown,
  ): Promise<{ violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[] }>
}

/** Fails where the page is wider than the screen, and says what sticks out. */
export async function assertFits(page: Page): Promise<void> {
  const { needed, there, out } = await page.locator('html').evaluate((root) => {
    const { scrollWidth, clientWidth, querySelectorAll } = root as unknown as RootLike
    const wide = [...querySelectorAll.call(root, 'body *')].filter(
      (element) => element.getBoundingClientRect().right > clientWidth + 0.5,
    )
    return {
      needed: scrollWidth,
      there: clientWidth,
      out: wide.slice(-5).map(({ outerHTML }) => outerHTML.slice(0, 200)),
    }
  })
  assert.ok(needed <= there, `${page.url()} is ${needed} px wide on a screen of ${there} px:\n${out.join('\n')}`)
}

interface RootLike {
  scrollWidth: number
  clientWidth: number
  querySelectorAll(selector: string): Iterable<{ outerHTML: string; getBoundingClientRect(): { right: number } }>
}
