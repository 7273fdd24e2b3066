import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import type { ScheduleTask } from './queries.ts'
import { schedulesText } from './text.ts'

/** What a task does, as a person would say it. */
export function useTaskWords(): (task: ScheduleTask) => string {
  const { task: t } = useText(schedulesText)
  const format = useFormat()
  return (task) => (task.delaySeconds > 0 ? t.after(format.duration(task.delaySeconds), words(task)) : words(task))
  function words(task: ScheduleTask): string {
    switch (task.kind) {
      case 'power':
        return t[task.action]
      case 'command':
        return t.command(task.command)
      case 'backup':
        return t.backup(task.name)
      case 'wait':
        return t[task.until]
    }
  }
}
