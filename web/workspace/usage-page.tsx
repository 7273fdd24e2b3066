import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { ChartColumn } from 'lucide-react'
import { useState } from 'react'
import { Loaded } from '../api/loaded.tsx'
import { Bars } from '../charts/bars.tsx'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Card } from '../ui/card.tsx'
import { Page } from '../ui/page.tsx'
import { Select } from '../ui/select.tsx'
import { EmptyState } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { usageQuery } from './queries.ts'
import { workspaceText } from './text.ts'

const periods = ['7', '30', '90', '365'] as const
const dayMs = 86_400_000

export function UsagePage() {
  const t = useText(workspaceText).usage
  const format = useFormat()
  const [period, setPeriod] = useState<(typeof periods)[number]>('30')
  const query = useQuery({ ...usageQuery(Number(period)), placeholderData: keepPreviousData })
  return (
    <Page
      title={t.title}
      tabTitle={t.title}
      description={t.hint}
      actions={
        <Select
          label={t.period}
          className="w-36"
          value={period}
          choices={periods.map((each) => ({ value: each, label: t.days(Number(each)) }))}
          onChange={(next) => setPeriod(next)}
        />
      }
    >
      <Loaded query={query}>
        {(data) => (
          <div className="grid gap-5">
            <dl className="grid grid-cols-2 gap-3 lg:grid-cols-5">
              <Figure
                label={t.total}
                text={format.bytes(data.totalBytes)}
                hint={t.inAndOut(format.bytes(data.bytesIn), format.bytes(data.bytesOut))}
              />
              <Figure label={t.requests} text={format.number(data.requests)} />
              <Figure label={t.connections} text={format.number(data.connections)} />
              <Figure label={t.peak} text={format.number(data.peakTunnels)} />
              <Figure label={t.lastSeen} text={data.lastSeen ? <RelativeTime at={data.lastSeen} /> : t.never} />
            </dl>
            {data.totalBytes === 0 ? (
              <Card>
                <EmptyState icon={ChartColumn} title={t.none}>
                  {t.noneHint}
                </EmptyState>
              </Card>
            ) : (
              <>
                <Card>
                  <Bars
                    caption={t.perDay}
                    bars={everyDay(Number(period), data.series).map(({ day, bytes }) => ({
                      key: day,
                      label: format.utcDate(day),
                      value: bytes,
                      text: format.bytes(bytes),
                    }))}
                  />
                </Card>
                <Card title={t.perTunnel} flush>
                  <Table
                    caption={t.perTunnel}
                    rows={data.tunnels}
                    rowKey={({ id }) => id}
                    columns={[
                      {
                        key: 'name',
                        title: t.tunnel,
                        className: 'wrap-anywhere font-medium',
                        cell: ({ name }) => name,
                      },
                      { key: 'bytes', title: t.total, align: 'right', cell: ({ bytes }) => format.bytes(bytes) },
                      {
                        key: 'in',
                        title: t.received,
                        align: 'right',
                        wideOnly: true,
                        cell: ({ bytesIn }) => format.bytes(bytesIn),
                      },
                      {
                        key: 'out',
                        title: t.sent,
                        align: 'right',
                        wideOnly: true,
                        cell: ({ bytesOut }) => format.bytes(bytesOut),
                      },
                      {
                        key: 'requests',
                        title: t.requests,
                        align: 'right',
                        wideOnly: true,
                        cell: ({ requests }) => format.number(requests),
                      },
                      {
                        key: 'connections',
                        title: t.connections,
                        align: 'right',
                        cell: ({ connections }) => format.number(connections),
                      },
                    ]}
                  />
                </Card>
              </>
            )}
          </div>
        )}
      </Loaded>
    </Page>
  )
}

function Figure({ label, text, hint }: { label: string; text: React.ReactNode; hint?: string }) {
  return (
    <div className="rounded-xl border border-line bg-surface px-4 py-3 max-lg:last:col-span-2">
      <dt className="text-muted text-xs">{label}</dt>
      <dd className="mt-0.5 font-semibold text-lg tabular-nums [&_time]:whitespace-normal">{text}</dd>
      {hint && <dd className="text-muted text-xs">{hint}</dd>}
    </div>
  )
}

/** One entry for each day, also for those without traffic, which the API leaves out. */
function everyDay(days: number, series: readonly { day: string; bytes: number }[]): { day: string; bytes: number }[] {
  const bytesOf = new Map(series.map(({ day, bytes }) => [day.slice(0, 10), bytes]))
  const today = Math.floor(Date.now() / dayMs) * dayMs
  return Array.from({ length: days }, (_, index) => {
    const day = new Date(today - (days - 1 - index) * dayMs).toISOString()
    return { day, bytes: bytesOf.get(day.slice(0, 10)) ?? 0 }
  })
}
