import { ListChecks, Pencil, Play, Trash2 } from 'lucide-react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Menu } from '../ui/menu.tsx'
import { Switch } from '../ui/switch.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { cronWords } from './cron-words.ts'
import { useMoment } from './moment.ts'
import { runsQuery, type Schedule, schedulesQuery } from './queries.ts'
import { RunState } from './run-state.tsx'
import { useTaskWords } from './task-words.ts'
import { schedulesText } from './text.ts'

/** One schedule: when it runs, what it does, how the last run went. */
export function ScheduleCard({
  schedule,
  onAsk,
}: {
  schedule: Schedule
  onAsk(what: 'edit' | 'runs' | 'remove'): void
}) {
  const t = useText(schedulesText)
  const { language } = useLanguage()
  const { serverId, may } = useServer()
  const taskWords = useTaskWords()
  const { id, name, lastRun } = schedule
  const changes = [schedulesQuery(serverId).queryKey, runsQuery(serverId, id).queryKey]
  const run = useAction({
    run: () => api.runSchedule({ params: { serverId, schedule: id } }),
    done: t.begun,
    changes,
  })
  const enable = useAction({
    run: (enabled: boolean) => api.updateSchedule({ params: { serverId, schedule: id }, body: { enabled } }),
    changes,
  })
  const mayUpdate = may('schedules.update')
  const whyNotRun = !may('schedules.run') ? t.mayNot : lastRun?.state === 'running' ? t.running : null
  const mayNotRemove = may('schedules.delete') ? null : t.mayNot
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-2.5">
          <span className="wrap-anywhere">{name}</span>
          {!schedule.enabled && <Badge>{t.off}</Badge>}
        </span>
      }
      actions={
        <>
          <Button
            small
            icon={Play}
            aria-label={t.of(t.runNow, name)}
            unavailable={whyNotRun}
            busy={run.isPending}
            onClick={() => run.mutate()}
          >
            {t.runNow}
          </Button>
          <Button
            small
            icon={Pencil}
            aria-label={t.of(t.edit, name)}
            unavailable={mayUpdate ? null : t.mayNot}
            onClick={() => onAsk('edit')}
          >
            {t.edit}
          </Button>
          <Menu
            label={t.more(name)}
            entries={[
              {
                label: t.remove,
                icon: Trash2,
                danger: true,
                disabled: mayNotRemove !== null,
                hint: mayNotRemove,
                onSelect: () => onAsk('remove'),
              },
            ]}
          />
        </>
      }
    >
      <div className="grid gap-x-8 gap-y-4 md:grid-cols-2">
        <dl className="grid content-start gap-3">
          <div>
            <dt className="text-muted text-xs">{t.when}</dt>
            <dd>
              {cronWords(schedule.cron, language) ?? <code className="font-mono">{schedule.cron}</code>}
              <span className="block text-[13px] text-muted">{t.inZone(schedule.timeZone)}</span>
            </dd>
          </div>
          <div>
            <dt className="text-muted text-xs">{t.next}</dt>
            <dd>{schedule.nextRunAt ? <Next schedule={schedule} at={schedule.nextRunAt} /> : t.nextOff}</dd>
          </div>
          <div>
            <dt className="text-muted text-xs">{t.last}</dt>
            <dd className="grid justify-items-start gap-1">
              {lastRun ? (
                <>
                  <span className="flex flex-wrap items-center gap-2" role="status">
                    <RunState state={lastRun.state} />
                    <RelativeTime at={lastRun.startedAt ?? lastRun.dueAt} />
                  </span>
                  {lastRun.message && <span className="wrap-anywhere text-[13px] text-muted">{lastRun.message}</span>}
                </>
              ) : (
                t.never
              )}
              <Button
                small
                kind="quiet"
                icon={ListChecks}
                aria-label={t.of(t.results, name)}
                onClick={() => onAsk('runs')}
                className="-ml-2.5"
              >
                {t.results}
              </Button>
            </dd>
          </div>
        </dl>
        <div className="grid content-start gap-3">
          <section>
            <h3 className="text-muted text-xs">{t.does}</h3>
            <ol className="grid list-decimal gap-0.5 pl-5 marker:text-muted">
              {schedule.tasks.map((task, position) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: tasks have no other name, and are shown as they are
                <li key={position} className="wrap-anywhere">
                  {taskWords(task)}
                </li>
              ))}
            </ol>
            {schedule.onlyWhenRunning && <p className="mt-1 text-[13px] text-muted">{t.onlyWhenRunningShort}</p>}
          </section>
          <p className="wrap-anywhere text-[13px] text-muted">{schedule.by ? t.by(schedule.by) : t.byNobody}</p>
          <Switch
            label={
              <>
                {t.switchOn}
                <span className="sr-only">: {name}</span>
              </>
            }
            hint={mayUpdate ? undefined : t.mayNot}
            checked={enable.isPending ? enable.variables : schedule.enabled}
            disabled={!mayUpdate || enable.isPending}
            onChange={(next) => enable.mutate(next)}
          />
        </div>
      </div>
    </Card>
  )
}

function Next({ schedule, at }: { schedule: Schedule; at: string }) {
  const t = useText(schedulesText)
  const format = useFormat()
  const moment = useMoment(schedule.timeZone)
  return (
    <>
      {t.nextAt(format.relative(at), moment(at))}
      <details className="text-[13px]">
        <summary className="w-fit cursor-pointer py-0.5 text-muted hover:text-ink">{t.nextFive}</summary>
        <ul className="mt-1 grid gap-0.5 pl-4 tabular-nums">
          {schedule.nextRuns.map((each) => (
            <li key={each}>{moment(each)}</li>
          ))}
        </ul>
      </details>
    </>
  )
}
