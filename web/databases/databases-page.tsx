import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Database as DatabaseIcon, Plus } from 'lucide-react'
import { useState } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Limit } from '../servers/limit.tsx'
import { resourcesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { EmptyState } from '../ui/state.tsx'
import { DatabaseCard } from './database-card.tsx'
import { NewDatabase } from './new-database.tsx'
import { databasesQuery } from './queries.ts'
import { databasesText } from './text.ts'

/** The databases of one server. */
export function DatabasesPage() {
  const t = useText(databasesText)
  const format = useFormat()
  const { serverId, server, may } = useServer()
  const { data: databases } = useSuspenseQuery(databasesQuery(serverId))
  const { data: resources } = useQuery({ ...resourcesQuery(serverId), enabled: may('settings.read') })
  const [creating, setCreating] = useState(false)
  const room = resources?.databases
  const create = (
    <Button kind="primary" icon={Plus} unavailable={whyNoDatabase()} onClick={() => setCreating(true)}>
      {t.create}
    </Button>
  )
  function whyNoDatabase(): string | null {
    if (!may('databases.create')) return t.mayNot
    if (server.status === 'suspended') return t.suspended
    if (!room || room.current < room.limit) return null
    return room.limit === 0 ? t.noneAllowed : t.full(format.number(room.limit))
  }
  return (
    <>
      <Card
        title={t.title}
        description={t.hint}
        flush={databases.length > 0}
        actions={
          <>
            {room && <Limit label={t.limit} current={room.current} limit={room.limit} />}
            {databases.length > 0 && create}
          </>
        }
      >
        {databases.length === 0 && (
          <EmptyState icon={DatabaseIcon} title={t.none} actions={create}>
            {t.noneHint}
          </EmptyState>
        )}
      </Card>
      {databases.map((database) => (
        <DatabaseCard key={database.id} database={database} />
      ))}
      {creating && <NewDatabase onClose={() => setCreating(false)} />}
    </>
  )
}
