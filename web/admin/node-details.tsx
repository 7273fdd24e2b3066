import type { ReactNode } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Dialog } from '../ui/dialog.tsx'
import type { Node } from './queries.ts'
import { adminText } from './text.ts'

/** The API counts promises in MiB. */
const MiB = 1024 * 1024

/** What a machine runs servers in, what is promised of it, and what it cannot enforce. */
export function NodeDetails({ node, onClose }: { node: Node; onClose(): void }) {
  const t = useText(adminText).nodes
  const { capabilities } = node
  return (
    <Dialog open onOpenChange={onClose} title={node.name} description={node.hostname ?? undefined}>
      {capabilities ? <Facts node={node} capabilities={capabilities} /> : <p>{t.notHereYet}</p>}
    </Dialog>
  )
}

function Facts({ node, capabilities }: { node: Node; capabilities: NonNullable<Node['capabilities']> }) {
  const t = useText(adminText).nodes
  const format = useFormat()
  const { runtime, containers, warnings } = capabilities
  const { allocated, capacity, tooOldFor, version } = node
  const missing = [...warnings, ...(containers?.warnings ?? [])]
  const size = (used: number, all: number): string => t.promisedOf(format.bytes(used * MiB), format.bytes(all * MiB))
  const facts: [string, ReactNode][] = [
    [
      t.runsIn,
      <ul key="runs">
        <li>{t.runtimes[runtime]}</li>
        <li>{containers ? t.runtimes.containers(containers.engine) : t.noContainers}</li>
      </ul>,
    ],
    [
      t.promised,
      capacity && (
        <ul key="promised">
          <li>{t.promisedMemory(size(allocated.memory, capacity.memory))}</li>
          <li>{t.promisedDisk(size(allocated.disk, capacity.disk))}</li>
          <li>{t.cores(t.promisedOf(format.number(allocated.cpu, 2), format.number(capacity.cpu, 2)))}</li>
        </ul>
      ),
    ],
    [
      t.version,
      <span key="version">
        {version}
        {tooOldFor.length > 0 && <span className="block text-warn">{t.tooOld(format.list(tooOldFor))}</span>}
      </span>,
    ],
    [
      t.limits,
      missing.length === 0 ? (
        t.full
      ) : (
        <ul key="limits" className="list-disc pl-5">
          {missing.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
      ),
    ],
  ]
  return (
    <dl className="grid gap-3">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt className="text-muted text-xs">{label}</dt>
          <dd className="wrap-anywhere">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
