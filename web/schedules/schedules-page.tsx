import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { CalendarClock, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Limit } from '../servers/limit.tsx'
import { resourcesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { EmptyState } from '../ui/state.tsx'
import { schedulesQuery } from './queries.ts'
import { RunsDialog } from './runs-dialog.tsx'
import { ScheduleCard } from './schedule-card.tsx'
import { ScheduleForm } from './schedule-form.tsx'
import { schedulesText } from './text.ts'

type Asked = { for: 'create' } | { for: 'edit' | 'runs' | 'remove'; id: string }

/** What happens on one server by itself. */
export function SchedulesPage() {
  const t = useText(schedulesText)
  const format = useFormat()
  const { serverId, server, may } = useServer()
  const { data: schedules } = useSuspenseQuery(schedulesQuery(serverId))
  const { data: resources } = useQuery({ ...resourcesQuery(serverId), enabled: may('settings.read') })
  const [asked, setAsked] = useState<Asked | null>(null)
  const close = (): void => setAsked(null)
  const remove = useAction({
    run: (schedule: string) => api.deleteSchedule({ params: { serverId, schedule } }),
    done: t.removed,
    changes: [schedulesQuery(serverId).queryKey, resourcesQuery(serverId).queryKey],
    onDone: close,
  })
  const chosen = asked && asked.for !== 'create' ? schedules.find(({ id }) => id === asked.id) : undefined
  const room = resources?.schedules
  const create = (
    <Button kind="primary" icon={Plus} unavailable={whyNoSchedule()} onClick={() => setAsked({ for: 'create' })}>
      {t.create}
    </Button>
  )
  function whyNoSchedule(): string | null {
    if (!may('schedules.create')) return t.mayNot
    if (server.status === 'suspended') return t.suspended
    if (!room || room.current < room.limit) return null
    return room.limit === 0 ? t.noneAllowed : t.full(format.number(room.limit))
  }
  return (
    <>
      <Card
        title={t.title}
        description={t.hint}
        flush={schedules.length > 0}
        actions={
          <>
            {room && <Limit label={t.limit} current={room.current} limit={room.limit} />}
            {schedules.length > 0 && create}
          </>
        }
      >
        {schedules.length === 0 && (
          <EmptyState icon={CalendarClock} title={t.none} actions={create}>
            {t.noneHint}
          </EmptyState>
        )}
      </Card>
      {schedules.map((schedule) => (
        <ScheduleCard
          key={schedule.id}
          schedule={schedule}
          onAsk={(what) => setAsked({ for: what, id: schedule.id })}
        />
      ))}
      {asked?.for === 'create' && <ScheduleForm schedule={null} onClose={close} />}
      {asked?.for === 'edit' && chosen && <ScheduleForm schedule={chosen} onClose={close} />}
      {asked?.for === 'runs' && chosen && <RunsDialog schedule={chosen} onClose={close} />}
      <ConfirmDialog
        open={asked?.for === 'remove' && chosen !== undefined}
        onOpenChange={close}
        title={t.removeTitle(chosen?.name ?? '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => chosen && remove.mutate(chosen.id)}
      />
    </>
  )
}
