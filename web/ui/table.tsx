import type { ReactNode } from 'react'
import { classNames } from './class-names.ts'

export interface Column<Row> {
  key: string
  title: ReactNode
  cell(row: Row): ReactNode
  /** Left out where there is little room. */
  wideOnly?: boolean
  align?: 'right'
  /** Where rows are blocks: in their upper right corner. For a button alone. */
  corner?: boolean
  className?: string
}

/**
 * Rows with columns. `rowKey` tells them apart; the title of an `actions` column is for screen readers alone. Where there is no
 * room for columns, each row becomes a block with its values below each other, the first one as its heading.
 */
export function Table<Row>({
  rows,
  columns,
  rowKey,
  caption,
}: {
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  rowKey(row: Row): string
  caption: string
}) {
  return (
    // biome-ignore lint/a11y/noRedundantRoles: a table that is laid out as blocks loses its role in some browsers
    <table role="table" className="w-full border-collapse text-left max-md:block">
      <caption className="sr-only">{caption}</caption>
      <thead className="max-md:sr-only">
        <tr className="border-line border-b bg-sunken/60 text-muted text-xs">
          {columns.map(({ key, title, align }) => (
            <th
              key={key}
              scope="col"
              className={classNames('px-4 py-2 font-medium first:pl-5 last:pr-5', align === 'right' && 'text-right')}
            >
              {key === 'actions' ? <span className="sr-only">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody className="max-md:block">
        {rows.map((row) => (
          <tr
            key={rowKey(row)}
            className="border-line border-b last:border-b-0 hover:bg-sunken/50 max-md:relative max-md:grid max-md:gap-1 max-md:px-5 max-md:py-3"
          >
            {columns.map(({ key, title, cell, wideOnly, align, corner, className }, position) => {
              const content = cell(row)
              const labelled = position > 0 && key !== 'actions'
              return (
                <td
                  key={key}
                  className={classNames(
                    'align-middle md:px-4 md:py-2.5 md:last:pr-5 md:first:pl-5',
                    'max-md:flex max-md:items-baseline max-md:justify-between max-md:gap-4 max-md:empty:hidden',
                    (wideOnly || isNothing(content)) && 'max-md:hidden',
                    key === 'actions' && 'max-md:justify-end',
                    corner && 'max-md:absolute max-md:top-2 max-md:right-3',
                    position === 0 && columns.some((each) => each.corner) && 'max-md:min-h-8 max-md:pr-9',
                    align === 'right' && 'md:text-right',
                    className,
                  )}
                >
                  {labelled && (
                    <span aria-hidden className="shrink-0 text-muted text-xs md:hidden">
                      {title}
                    </span>
                  )}
                  {labelled ? <span className="min-w-0 max-md:text-right">{content}</span> : content}
                </td>
              )
            })}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** What React renders as nothing. */
const isNothing = (content: ReactNode): boolean =>
  content === null || content === undefined || content === false || content === ''
