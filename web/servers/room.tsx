import { queryOptions, useQuery } from '@tanstack/react-query'
import { api } from '../api/api.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { serversText } from './text.ts'

const roomQuery = queryOptions({
  queryKey: ['nodes', 'room'],
  queryFn: async ({ signal }) => (await api.nodes({}, { signal })).nodes,
})

/** What the machines have, for whoever may know: a limit above it would promise what is not there. */
export function Room() {
  const t = useText(serversText)
  const format = useFormat()
  const { instanceAdmin } = useAccount()
  const { data: nodes = [] } = useQuery({ ...roomQuery, enabled: instanceAdmin })
  const known = nodes.filter(({ online, memoryBytes }) => online && memoryBytes !== null)
  if (known.length === 0) return null
  return (
    <section aria-label={t.machines} className="rounded-lg bg-sunken px-4 py-3 text-muted">
      <h3 className="font-medium text-ink">{t.machines}</h3>
      <ul>
        {known.map(({ id, name, memoryBytes, cpuCores, diskFreeBytes }) => (
          <li key={id}>
            {t.machine(
              name,
              format.bytes(memoryBytes ?? 0),
              t.cores(format.number(cpuCores ?? 0, 2)),
              format.bytes(diskFreeBytes ?? 0),
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}
