import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { Card } from './card.tsx'
import { Page } from './page.tsx'
import { EmptyState } from './state.tsx'
import { type Column, Table } from './table.tsx'

/** A page that is one list. What adds to it stands in the header, and in the middle of the page while there is nothing. */
export function ListPage<Row extends { id: string }>({
  text,
  icon,
  add,
  rows,
  columns,
  children,
}: {
  /** `none` and `noneHint`: what an empty list says, and what to do. */
  text: Readonly<Record<'title' | 'hint' | 'none' | 'noneHint', string>>
  icon: LucideIcon
  add: ReactNode
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  /** The dialogs. */
  children?: ReactNode
}) {
  return (
    <Page title={text.title} tabTitle={text.title} description={text.hint} actions={rows.length > 0 && add}>
      <Card flush>
        {rows.length === 0 ? (
          <EmptyState icon={icon} title={text.none} actions={add}>
            {text.noneHint}
          </EmptyState>
        ) : (
          <Table caption={text.title} rows={rows} rowKey={({ id }) => id} columns={columns} />
        )}
      </Card>
      {children}
    </Page>
  )
}
