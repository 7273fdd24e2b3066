import type { ReactNode } from 'react'
import { classNames } from './class-names.ts'

export interface Column<Row> {
  key: string
  title: ReactNode
  cell(row: Row): ReactNode
  /** Left out where there is little room. */
  wideOnly?: boolean
  align?: 'right'
  className?: string
}

/** Rows with columns. `rowKey` tells them apart; the title of an `actions` column is for screen readers alone. */
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
    <div className="overflow-x-auto">
      <table className="w-full border-collapse text-left">
        <caption className="sr-only">{caption}</caption>
        <thead>
          <tr className="border-line border-y bg-sunken/60 text-muted text-xs">
            {columns.map(({ key, title, wideOnly, align }) => (
              <th
                key={key}
                scope="col"
                className={classNames(
                  'px-4 py-2 font-medium first:pl-5 last:pr-5',
                  wideOnly && 'max-md:hidden',
                  align === 'right' && 'text-right',
                )}
              >
                {key === 'actions' ? <span className="sr-only">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} className="border-line border-b last:border-b-0 hover:bg-sunken/50">
              {columns.map(({ key, cell, wideOnly, align, className }) => (
                <td
                  key={key}
                  className={classNames(
                    'px-4 py-2.5 align-middle first:pl-5 last:pr-5',
                    wideOnly && 'max-md:hidden',
                    align === 'right' && 'text-right',
                    className,
                  )}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
