import type { Entry } from './queries.ts'

export const sortKeys = ['name', 'size', 'changed', 'mode'] as const
export type SortKey = (typeof sortKeys)[number]
export interface Sorting {
  by: SortKey
  descending: boolean
}

/** Folders first, then as asked for; what is equal goes by name, where `2` comes before `10`. */
export function sorted(entries: readonly Entry[], { by, descending }: Sorting, language: string): Entry[] {
  const { compare } = new Intl.Collator(language, { numeric: true })
  const direction = descending ? -1 : 1
  const order = (left: Entry, right: Entry): number => {
    switch (by) {
      case 'size':
        return left.size - right.size
      case 'changed':
        return left.modified < right.modified ? -1 : left.modified > right.modified ? 1 : 0
      case 'mode':
        return compare(left.mode, right.mode)
      case 'name':
        return 0
    }
  }
  return entries.toSorted(
    (left, right) =>
      Number(right.isDirectory) - Number(left.isDirectory) ||
      direction * order(left, right) ||
      (by === 'name' ? direction : 1) * compare(left.name, right.name),
  )
}

/** Another click on the same column turns it around. New things are looked for more often than old ones, large more than small ones. */
export const sortedBy = (before: Sorting, by: SortKey): Sorting =>
  before.by === by ? { by, descending: !before.descending } : { by, descending: by === 'size' || by === 'changed' }
