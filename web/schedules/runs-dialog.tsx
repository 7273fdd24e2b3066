import { useQuery } from '@tanstack/react-query'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { ErrorState, Loading } from '../ui/state.tsx'
import { runsQuery, type Schedule, type ScheduleRun } from './queries.ts'
import { RunState } from './run-state.tsx'
import { useTaskWords } from './task-words.ts'
import { schedulesText } from './text.ts'

/** What became of the runs of a schedule, task by task. */
export function RunsDialog({ schedule, onClose }: { schedule: Schedule; onClose(): void }) {
  const t = useText(schedulesText)
  const { serverId } = useServer()
  const { data: runs, error, refetch } = useQuery(runsQuery(serverId, schedule.id))
  return (
    <Dialog open onOpenChange={onClose} title={t.runsTitle(schedule.name)} description={t.runsHint} wide>
      {!runs ? (
        error ? (
          <ErrorState title={errorText(error)} onRetry={() => void refetch()} />
        ) : (
          <Loading />
        )
      ) : runs.length === 0 ? (
        <p className="text-muted">{t.noRuns}</p>
      ) : (
        <ol className="grid">
          {runs.map((run) => (
            <Run key={run.id} run={run} />
          ))}
        </ol>
      )}
    </Dialog>
  )
}

function Run({ run }: { run: ScheduleRun }) {
  const t = useText(schedulesText)
  const format = useFormat()
  const taskWords = useTaskWords()
  const { startedAt, endedAt, message } = run
  return (
    <li className="grid gap-2 border-line border-t py-3 first:border-t-0 first:pt-0">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <RunState state={run.state} />
        <time dateTime={startedAt ?? run.dueAt}>{format.time(startedAt ?? run.dueAt)}</time>
        <span className="text-[13px] text-muted">{t.causes[run.cause]}</span>
        {startedAt && endedAt && (
          <span className="text-[13px] text-muted">{t.took(format.duration(secondsBetween(startedAt, endedAt)))}</span>
        )}
      </p>
      {message && <p className="wrap-anywhere text-[13px]">{message}</p>}
      {startedAt && (
        <ol className="grid list-decimal gap-1 pl-5 text-[13px] marker:text-muted">
          {run.tasks.map(({ task, state, message: why }, position) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: tasks of a run have no other name, and never move
            <li key={position} className="wrap-anywhere">
              {taskWords(task)}{' '}
              <span className={state === 'failed' || state === 'interrupted' ? 'ml-1 text-bad' : 'ml-1 text-muted'}>
                {t.taskStates[state]}
              </span>
              {why && <span className="block text-muted">{why}</span>}
            </li>
          ))}
        </ol>
      )}
    </li>
  )
}

const secondsBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000
