import { ArrowDown, ArrowUp } from 'lucide-react'
import { type KeyboardEvent, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { classNames } from '../ui/class-names.ts'
import type { FileAccess } from './access.ts'
import type { FileAct } from './file-menu.ts'
import { visible } from './file-name.tsx'
import { FileRow, type RowEvents } from './file-row.tsx'
import type { Entry } from './queries.ts'
import type { Selection } from './selection.ts'
import { type Sorting, type SortKey, sortedBy } from './sorting.ts'
import { filesText } from './text.ts'

/** Rows that are drawn at first, and added whenever the end comes into sight: a folder of thousands opens at once. */
const rowsAtOnce = 150

/** By how many rows a key moves; what is too far ends at the first or last one. */
const stepsOf: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
}

/** The entries of a folder in rows, with a mouse, fingers, or keys alone. */
export function FileTable({
  serverId,
  directory,
  entries,
  selection,
  sorting,
  onSort,
  access,
  onAct,
  onUp,
}: {
  serverId: string
  directory: string
  entries: readonly Entry[]
  selection: Selection
  sorting: Sorting
  onSort(sorting: Sorting): void
  access: FileAccess
  onAct(what: FileAct, entry: Entry): void
  /** Null at the top. */
  onUp: (() => void) | null
}) {
  const t = useText(filesText)
  const format = useFormat()
  const hint = useId()
  const body = useRef<HTMLTableSectionElement>(null)
  const [most, setMost] = useState(rowsAtOnce)
  const [active, setActive] = useState<string | null>(null)
  const shown = entries.slice(0, most)
  const activeName = shown.some(({ name }) => name === active) ? active : (shown[0]?.name ?? null)
  const on = useEvents({ toggle: selection.toggle, act: onAct, focused: setActive })

  const focusRow = (position: number): Entry | undefined => {
    const entry = shown[Math.max(0, Math.min(position, shown.length - 1))]
    if (!entry) return undefined
    const row = [...(body.current?.rows ?? [])].find(({ dataset }) => dataset['name'] === entry.name)
    row?.querySelector<HTMLElement>('[data-open]')?.focus()
    row?.scrollIntoView({ block: 'nearest' })
    return entry
  }
  const onKey = (event: KeyboardEvent<HTMLElement>): void => {
    const target = event.target as HTMLElement
    // Menus and dialogs of a row stand elsewhere on the page, and their keys are theirs.
    if (event.defaultPrevented || !event.currentTarget.contains(target)) return
    const position = shown.findIndex(({ name }) => name === activeName)
    const entry = shown[position]
    if (!entry) return
    const move = (to: number): void => {
      const next = focusRow(to)
      if (event.shiftKey && next) selection.add([entry.name, next.name])
    }
    const steps = stepsOf[event.key]
    if (steps !== undefined) move(position + steps)
    else if (event.key === ' ' && target.matches('[data-open]')) selection.toggle(entry.name, event.shiftKey)
    else if (event.key === 'F2') onAct('rename', entry)
    else if (event.key === 'Delete') onAct('delete', entry)
    else if (event.key === 'Backspace' && onUp) onUp()
    else if (event.key === 'Escape' && selection.names.length > 0) selection.clear()
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) selection.all()
    else return
    event.preventDefault()
  }
  const all = entries.length > 0 && selection.names.length === entries.length
  return (
    <>
      <p id={hint} className="sr-only">
        {t.keys}
      </p>
      <table className="w-full table-fixed border-collapse text-left" aria-describedby={hint} onKeyDown={onKey}>
        <caption className="sr-only">{t.list(visible(directory))}</caption>
        <thead>
          <tr className="border-line border-b bg-sunken/60 text-muted text-xs">
            <th scope="col" className="w-12 pl-3 md:w-14 md:pl-4">
              <label className="inline-flex size-8 items-center justify-center">
                <input
                  type="checkbox"
                  className="tick size-4.5"
                  aria-label={t.selectAll}
                  checked={all}
                  ref={(box) => {
                    if (box) box.indeterminate = !all && selection.names.length > 0
                  }}
                  onChange={() => (all ? selection.clear() : selection.all())}
                />
              </label>
            </th>
            <SortedHead by="name" title={t.name} sorting={sorting} onSort={onSort} />
            <SortedHead
              by="size"
              title={t.size}
              sorting={sorting}
              onSort={onSort}
              className="w-28 text-right max-md:hidden"
            />
            <SortedHead
              by="changed"
              title={t.changed}
              sorting={sorting}
              onSort={onSort}
              className="w-40 max-md:hidden"
            />
            <SortedHead by="mode" title={t.mode} sorting={sorting} onSort={onSort} className="w-32 max-lg:hidden" />
            <th scope="col" className="w-12">
              <span className="sr-only">{t.actions}</span>
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {shown.map((entry) => (
            <FileRow
              key={entry.name}
              serverId={serverId}
              directory={directory}
              entry={entry}
              selected={selection.has(entry.name)}
              active={entry.name === activeName}
              access={access}
              on={on}
            />
          ))}
        </tbody>
      </table>
      {shown.length < entries.length && (
        <More onMore={() => setMost(most + rowsAtOnce)}>
          {t.more} ({format.number(entries.length - shown.length)})
        </More>
      )}
    </>
  )
}

function SortedHead({
  by,
  title,
  sorting,
  onSort,
  className,
}: {
  by: SortKey
  title: string
  sorting: Sorting
  onSort(sorting: Sorting): void
  className?: string
}) {
  const t = useText(filesText)
  const Arrow = sorting.descending ? ArrowDown : ArrowUp
  const isIt = sorting.by === by
  return (
    <th
      scope="col"
      aria-sort={isIt ? (sorting.descending ? 'descending' : 'ascending') : 'none'}
      className={classNames('font-medium', className)}
    >
      <button
        type="button"
        title={t.sortBy(title)}
        onClick={() => onSort(sortedBy(sorting, by))}
        className={classNames(
          'inline-flex h-8 items-center gap-1 rounded-md hover:text-ink',
          by === 'name' ? 'pr-2' : 'px-3',
          isIt && 'text-ink',
        )}
      >
        {title}
        {isIt && <Arrow aria-hidden className="size-3.5" />}
      </button>
    </th>
  )
}

/** A button that presses itself when it comes into sight. */
function More({ onMore, children }: { onMore(): void; children: React.ReactNode }) {
  const place = useRef<HTMLDivElement>(null)
  const more = useRef(onMore)
  more.current = onMore
  useEffect(() => {
    if (!place.current) return
    const watch = new IntersectionObserver(
      (seen) => {
        if (seen.some(({ isIntersecting }) => isIntersecting)) more.current()
      },
      { rootMargin: '600px' },
    )
    watch.observe(place.current)
    return () => watch.disconnect()
  })
  return (
    <div ref={place} className="flex justify-center border-line border-t p-3">
      <Button small onClick={onMore}>
        {children}
      </Button>
    </div>
  )
}

/** The same object for ever, so that rows are not drawn again because a function is new. */
function useEvents(now: RowEvents): RowEvents {
  const latest = useRef(now)
  useLayoutEffect(() => {
    latest.current = now
  })
  const [events] = useState<RowEvents>(() => ({
    toggle: (...args) => latest.current.toggle(...args),
    act: (...args) => latest.current.act(...args),
    focused: (...args) => latest.current.focused(...args),
  }))
  return events
}
