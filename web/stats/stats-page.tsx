import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { phrases, useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Card } from '../ui/card.tsx'
import { Select } from '../ui/select.tsx'
import { ErrorState, Loading } from '../ui/state.tsx'

const statsText = phrases({
  en: {
    period: 'Period',
    ranges: { '1h': '1 hour', '6h': '6 hours', '24h': '24 hours', '7d': '7 days', '30d': '30 days', '90d': '90 days' },
    cpu: 'CPU (cores)',
    memory: 'Memory',
    disk: 'Disk',
    network: 'Network',
    average: 'average',
    peak: 'peak',
    received: 'received',
    sent: 'sent',
    size: 'size',
    players: 'Players',
    most: 'most at one moment',
    noPlayers: 'Nobody knows who played: the game is not asked, or does not say it.',
    none: 'Nothing was measured in this time.',
    noNetwork: 'This machine cannot tell the traffic of one server from that of the others.',
  },
  de: {
    period: 'Zeitraum',
    ranges: {
      '1h': '1 Stunde',
      '6h': '6 Stunden',
      '24h': '24 Stunden',
      '7d': '7 Tage',
      '30d': '30 Tage',
      '90d': '90 Tage',
    },
    cpu: 'CPU (Kerne)',
    memory: 'Speicher',
    disk: 'Platte',
    network: 'Netz',
    average: 'Mittel',
    peak: 'Spitze',
    received: 'empfangen',
    sent: 'gesendet',
    size: 'Größe',
    players: 'Spieler',
    most: 'höchstens zugleich',
    noPlayers: 'Niemand weiß, wer gespielt hat: Das Spiel wird nicht gefragt oder sagt es nicht.',
    none: 'In dieser Zeit wurde nichts gemessen.',
    noNetwork: 'Diese Maschine kann den Verkehr eines Servers nicht von dem der anderen unterscheiden.',
  },
})

const ranges = ['1h', '6h', '24h', '7d', '30d', '90d'] as const
type Range = (typeof ranges)[number]

const statsQuery = (serverId: string, range: Range) =>
  queryOptions({
    queryKey: ['server', serverId, 'stats', range],
    queryFn: ({ signal }) => api.serverStats({ params: { serverId }, query: { range } }, { signal }),
    refetchInterval: 60_000,
  })

const LineChart = lazy(() =>
  import('../charts/line-chart.tsx').then(({ LineChart: component }) => ({ default: component })),
)

export function StatsPage() {
  const t = useText(statsText)
  const format = useFormat()
  const { serverId } = useServer()
  const [range, setRange] = useState<Range>('24h')
  const { data, error, refetch } = useQuery({ ...statsQuery(serverId, range), placeholderData: keepPreviousData })
  const bytes = (value: number): string => format.bytes(value)
  const cores = (value: number): string => format.number(value, 2)
  const people = (value: number): string => format.number(value, 0)
  if (!data) return error ? <ErrorState title={errorText(error)} onRetry={() => void refetch()} /> : <Loading />
  const charts = [
    {
      title: t.cpu,
      show: cores,
      atLeast: 0.1,
      series: [
        { label: t.average, values: data.cpu.average },
        { label: t.peak, values: data.cpu.peak },
      ],
      none: t.none,
    },
    {
      title: t.memory,
      show: bytes,
      atLeast: 1024,
      series: [
        { label: t.average, values: data.memory.average },
        { label: t.peak, values: data.memory.peak },
      ],
      none: t.none,
    },
    { title: t.disk, show: bytes, atLeast: 1024, series: [{ label: t.size, values: data.disk }], none: t.none },
    {
      title: t.network,
      show: bytes,
      atLeast: 1024,
      series: [
        { label: t.received, values: data.networkRx },
        { label: t.sent, values: data.networkTx },
      ],
      none: t.noNetwork,
    },
    {
      title: t.players,
      show: people,
      atLeast: 4,
      series: [{ label: t.most, values: data.players }],
      none: t.noPlayers,
    },
  ]
  return (
    <div className="grid gap-4">
      <Select
        label={t.period}
        className="w-40 justify-self-end"
        value={range}
        choices={ranges.map((each) => ({ value: each, label: t.ranges[each] }))}
        onChange={(next) => setRange(next)}
      />
      <div className="grid gap-4 lg:grid-cols-2">
        {charts.map(({ title, show, atLeast, series, none }) => (
          <Card key={title} title={title}>
            {series.some(({ values }) => values.some((value) => value !== null)) ? (
              <Suspense fallback={<Loading />}>
                <LineChart at={data.at} series={series} show={show} atLeast={atLeast} label={title} />
              </Suspense>
            ) : (
              <p className="py-10 text-center text-muted">{none}</p>
            )}
          </Card>
        ))}
      </div>
    </div>
  )
}
