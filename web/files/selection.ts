import { useState } from 'react'

export interface Selection {
  has(name: string): boolean
  /** Those of the shown that are selected, in their order. */
  names: readonly string[]
  /** With `range` everything between the last one that was touched and this. */
  toggle(name: string, range: boolean): void
  /** These become selected, too. */
  add(names: readonly string[]): void
  all(): void
  clear(): void
}

/** Which of the shown entries are selected. What is no longer shown is not selected either. */
export function useSelection(shown: readonly string[]): Selection {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [anchor, setAnchor] = useState<string | null>(null)
  const names = shown.filter((name) => chosen.has(name))
  return {
    has: (name) => chosen.has(name),
    names,
    toggle(name, range) {
      const next = new Set(names)
      const [from, to] = [anchor === null ? -1 : shown.indexOf(anchor), shown.indexOf(name)]
      if (range && from >= 0) for (const one of shown.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one)
      else if (!next.delete(name)) next.add(name)
      setChosen(next)
      setAnchor(name)
    },
    add: (more) => {
      setChosen(new Set([...names, ...more]))
      setAnchor(more.at(-1) ?? null)
    },
    all: () => setChosen(new Set(shown)),
    clear: () => setChosen(new Set()),
  }
}
