import { useQuery } from '@tanstack/react-query'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { type ServerDetails, type Usage, usageKey } from '../servers/queries.ts'
import { Card } from '../ui/card.tsx'
import { Meter } from '../ui/meter.tsx'
import { consoleText } from './text.ts'

const MiB = 1024 * 1024

/** What the server uses at this moment, beside what it may use. */
export function Vitals({ serverId, server }: { serverId: string; server: ServerDetails }) {
  const t = useText(consoleText)
  const format = useFormat()
  const { data: live } = useQuery<Usage>({ queryKey: usageKey(serverId), enabled: false })
  const usage = live ?? server.usage
  const { resources } = server
  const cpuText = t.of(format.number(usage?.cpuCores ?? 0, 2), t.cores(format.number(resources.cpu, 2)))
  const memoryText = t.of(format.bytes(usage?.memoryBytes ?? 0), format.bytes(resources.memory * MiB))
  const diskText = t.of(format.bytes(usage?.diskBytes ?? 0), format.bytes(resources.disk * MiB))
  return (
    <Card>
      <dl className="grid gap-4 sm:grid-cols-2 lg:grid-cols-1">
        <Vital label={t.cpu} text={cpuText}>
          <Meter value={usage?.cpuCores ?? 0} max={resources.cpu} label={t.cpu} text={cpuText} />
        </Vital>
        <Vital label={t.memory} text={memoryText}>
          <Meter value={usage?.memoryBytes ?? 0} max={resources.memory * MiB} label={t.memory} text={memoryText} />
        </Vital>
        <Vital label={t.disk} text={diskText}>
          <Meter value={usage?.diskBytes ?? 0} max={resources.disk * MiB} label={t.disk} text={diskText} />
        </Vital>
        {usage && usage.networkRxBytes !== null && usage.networkTxBytes !== null && (
          <Vital
            label={t.network}
            text={t.traffic(format.bytes(usage.networkRxBytes), format.bytes(usage.networkTxBytes))}
          />
        )}
        <Vital
          label={t.uptime}
          text={
            usage?.uptimeSeconds === null || usage?.uptimeSeconds === undefined
              ? t.notRunning
              : format.duration(usage.uptimeSeconds)
          }
        />
      </dl>
    </Card>
  )
}

function Vital({ label, text, children }: { label: string; text: string; children?: React.ReactNode }) {
  return (
    <div className="grid gap-1">
      <dt className="text-muted">{label}</dt>
      <dd className="tabular-nums">{text}</dd>
      {children && <dd className="mt-0.5">{children}</dd>}
    </div>
  )
}
