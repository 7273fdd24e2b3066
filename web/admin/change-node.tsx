import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { type Node, nodesQuery } from './queries.ts'
import { adminText } from './text.ts'

const resources = ['memory', 'disk', 'cpu'] as const

/** Which servers a machine takes: its labels, and how much of it may be promised. */
export function ChangeNode({ node, onClose }: { node: Node; onClose(): void }) {
  const t = useText(adminText).nodes
  const [labels, setLabels] = useState(() => textOf(node.labels))
  const [over, setOver] = useState(() => ({
    memory: String(node.overAllocation.memory ?? ''),
    disk: String(node.overAllocation.disk ?? ''),
    cpu: String(node.overAllocation.cpu ?? ''),
  }))
  const factor = (text: string): number | null => (text.trim() === '' ? null : Number(text))
  const save = useAction({
    run: () =>
      api.updateNode({
        params: { node: node.id },
        body: {
          labels: Object.fromEntries(linesOf(labels).map((line) => cut(line))),
          overAllocation: { memory: factor(over.memory), disk: factor(over.disk), cpu: factor(over.cpu) },
        },
      }),
    done: t.saved,
    changes: [nodesQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const bad = linesOf(labels).find((line) => !line.includes('='))
  const fields = fieldError(error, 'labels') ?? fieldError(error, 'overAllocation')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.changeTitle(node.name)}
      description={t.changeHint}
      submit={t.save}
      busy={save.isPending}
      disabled={bad !== undefined}
      onSubmit={() => save.mutate()}
    >
      <Field
        label={t.labels}
        hint={t.labelsHint}
        error={bad === undefined ? fieldError(error, 'labels') : t.labelWrong(bad)}
      >
        <TextArea
          rows={3}
          spellCheck={false}
          className="font-mono text-[13px]"
          value={labels}
          onChange={(event) => setLabels(event.target.value)}
        />
      </Field>
      <fieldset>
        <legend className="font-medium">{t.over}</legend>
        <p className="mb-2 text-[13px] text-muted">{t.overHint}</p>
        <div className="grid gap-3 sm:grid-cols-3">
          {resources.map((resource) => (
            <Field key={resource} label={t.overOf[resource]} error={fieldError(error, `overAllocation.${resource}`)}>
              <Input
                type="number"
                min={0.1}
                max={100}
                step={0.1}
                value={over[resource]}
                onChange={(event) => setOver({ ...over, [resource]: event.target.value })}
              />
            </Field>
          ))}
        </div>
      </fieldset>
      {error && !fields && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}

const textOf = (labels: Node['labels']): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

function cut(line: string): [name: string, value: string] {
  const at = line.indexOf('=')
  return [line.slice(0, at).trim(), line.slice(at + 1).trim()]
}
