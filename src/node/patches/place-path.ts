import { depthMax, placesMax } from './limits.ts'

/** One step into a document: a key, an index of an array, or everything that is there. */
export type Step = { key: string } | { index: number } | 'each'

/**
 * The steps of `servers.*.address` or `listeners[0].host`. A dot parts, `*` is every child, `[0]` an index; `~1` is a dot in a
 * key and `~0` a tilde. Throws an `Error` for a path that is none.
 */
export function stepsOf(path: string): Step[] {
  const steps: Step[] = []
  for (const part of path.split('.')) {
    const [, name = '', indexes = ''] = /^(.*?)((?:\[\d{1,6}\])*)$/s.exec(part) ?? []
    if (name === '*') steps.push('each')
    else if (name !== '' || indexes === '') steps.push({ key: name.replaceAll('~1', '.').replaceAll('~0', '~') })
    for (const [, index] of indexes.matchAll(/\[(\d+)\]/g)) steps.push({ index: Number(index) })
  }
  if (steps.length > depthMax) throw new Error(`its path has more than ${depthMax} steps`)
  return steps
}

/**
 * The places that the steps lead to, each a list of keys and indexes. A step to what is not there yet makes a place; `*` finds
 * only what is there.
 */
export function placesOf(root: unknown, steps: readonly Step[]): (string | number)[][] {
  let found: { at: (string | number)[]; value: unknown }[] = [{ at: [], value: root }]
  for (const step of steps) {
    const next: typeof found = []
    for (const { at, value } of found)
      for (const key of keysOf(value, step)) next.push({ at: [...at, key], value: childOf(value, key) })
    if (next.length > placesMax) throw new Error(`it leads to more than ${placesMax} places`)
    found = next
  }
  return found.map(({ at }) => at)
}

/** What is at a place now; undefined where there is nothing. */
export function valueAt(root: unknown, at: readonly (string | number)[]): unknown {
  return at.reduce<unknown>((value, key) => childOf(value, key), root)
}

function keysOf(value: unknown, step: Step): (string | number)[] {
  if (step === 'each') {
    if (Array.isArray(value)) return value.map((_, index) => index)
    return isRecord(value) ? Object.keys(value) : []
  }
  if ('index' in step) return [step.index]
  return [Array.isArray(value) && /^\d{1,6}$/.test(step.key) ? Number(step.key) : step.key]
}

function childOf(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
