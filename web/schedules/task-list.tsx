import { ArrowDown, ArrowUp, Plus, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { ServerPermission } from '../../src/contract/permissions.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { type DraftTask, newTask } from './draft.ts'
import type { ScheduleTask } from './queries.ts'
import { TaskFields } from './task-fields.tsx'
import { schedulesText } from './text.ts'

/** Nobody schedules what they may not do themselves: one of these is needed. */
const needed: Readonly<Record<ScheduleTask['kind'], readonly ServerPermission[]>> = {
  command: ['console.write'],
  power: ['control.start', 'control.stop', 'control.restart', 'control.kill'],
  backup: ['backups.create'],
  wait: [],
}
const kinds = ['command', 'power', 'backup', 'wait'] as const satisfies readonly ScheduleTask['kind'][]

/** The tasks of a schedule, one after the other. What is moved keeps the focus, so that it can be moved on. */
export function TaskList({ tasks, onChange }: { tasks: readonly DraftTask[]; onChange(tasks: DraftTask[]): void }) {
  const t = useText(schedulesText)
  const format = useFormat()
  const { may } = useServer()
  const list = useRef<HTMLOListElement>(null)
  const [focus, setFocus] = useState<{ key: string; on: 'up' | 'down' | 'fields' } | null>(null)
  useEffect(() => {
    if (!focus) return
    const row = list.current?.querySelector(`[data-task="${focus.key}"]`)
    row?.querySelector<HTMLElement>(focus.on === 'fields' ? 'input, select' : `[data-move="${focus.on}"]`)?.focus()
  }, [focus])
  const move = (from: number, by: -1 | 1): void => {
    const moved = tasks[from]
    if (!moved) return
    onChange(tasks.toSpliced(from, 1).toSpliced(from + by, 0, moved))
    setFocus({ key: moved.key, on: by < 0 ? 'up' : 'down' })
  }
  const add = (kind: ScheduleTask['kind']): void => {
    const added = newTask(kind, t.backupNameDefault)
    onChange([...tasks, added])
    setFocus({ key: added.key, on: 'fields' })
  }
  const movedTo = focus && focus.on !== 'fields' ? tasks.findIndex(({ key }) => key === focus.key) + 1 : 0
  return (
    <section className="grid gap-3">
      <h3 className="font-medium">{t.tasks}</h3>
      {tasks.length === 0 && <p className="text-muted">{t.addFirst}</p>}
      <ol ref={list} className="grid gap-3">
        {tasks.map(({ key, task }, position) => {
          const title = t.taskOf(format.number(position + 1), t.kinds[task.kind])
          return (
            <li key={key} data-task={key} aria-label={title} className="rounded-lg border border-line">
              <div className="flex items-center gap-1 border-line border-b py-1 pr-1.5 pl-3">
                <h4 className="mr-auto font-medium">{title}</h4>
                <IconButton
                  small
                  icon={ArrowUp}
                  data-move="up"
                  label={t.up(title)}
                  unavailable={position === 0 ? t.isFirst : null}
                  onClick={() => move(position, -1)}
                />
                <IconButton
                  small
                  icon={ArrowDown}
                  data-move="down"
                  label={t.down(title)}
                  unavailable={position === tasks.length - 1 ? t.isLast : null}
                  onClick={() => move(position, 1)}
                />
                <IconButton
                  small
                  icon={X}
                  label={t.drop(title)}
                  onClick={() => onChange(tasks.filter((one) => one.key !== key))}
                />
              </div>
              <TaskFields
                task={task}
                may={may}
                onChange={(next) => onChange(tasks.map((one) => (one.key === key ? { key, task: next } : one)))}
              />
            </li>
          )
        })}
      </ol>
      <p role="status" className="sr-only">
        {movedTo > 0 && t.moved(format.number(movedTo))}
      </p>
      <div className="flex flex-wrap gap-2">
        {kinds.map((kind) => (
          <Button
            key={kind}
            small
            icon={Plus}
            unavailable={needed[kind].length === 0 || needed[kind].some(may) ? null : t.mayNot}
            onClick={() => add(kind)}
          >
            {t.add[kind]}
          </Button>
        ))}
      </div>
    </section>
  )
}
