import { type Setting, typed } from './patch-value.ts'
import { isRecord, placesOf, stepsOf, valueAt } from './place-path.ts'

/** An empty file is an empty object. Throws an `Error` that says what is wrong with the text or a path. */
export function patchJson(text: string, settings: readonly Setting[]): string {
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text
  const root: unknown = bare.trim() === '' ? {} : JSON.parse(bare)
  if (typeof root !== 'object' || root === null) throw new Error('it holds neither an object nor a list')
  let changed = false
  for (const setting of settings)
    for (const at of placesOf(root, stepsOf(setting.at))) {
      const now = valueAt(root, at)
      const next = setting.next(scalar(now))
      if (next === undefined) continue
      put(root, at, typed(next, now))
      changed = true
    }
  return changed ? `${JSON.stringify(root, null, indentOf(bare))}\n` : text
}

export function scalar(value: unknown): string | number | boolean | null | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null
    ? value
    : undefined
}

function put(root: object, at: readonly (string | number)[], value: unknown): void {
  let here: object = root
  for (const [step, key] of at.entries()) {
    const isLast = step === at.length - 1
    if (Array.isArray(here) ? typeof key !== 'number' || key > here.length : typeof key === 'number' && !isRecord(here))
      throw new Error(`${at.join('.')} does not fit the list that is there`)
    if (isLast) {
      define(here, key, value)
      return
    }
    const child = valueAt(here, [key])
    if (typeof child === 'object' && child !== null) here = child
    else {
      const made: object = typeof at[step + 1] === 'number' ? [] : {}
      define(here, key, made)
      here = made
    }
  }
}

/** A key such as `__proto__` is a key like any other. */
function define(target: object, key: string | number, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

/** As the file has it: the white space before its first key. */
function indentOf(text: string): string | number {
  return /^[{[]\r?\n([ \t]{1,8})/.exec(text.trimStart())?.[1] ?? 2
}
