import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { RadioGroup } from '../ui/radio.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { backupSettingsQuery, backupsQuery } from './queries.ts'
import type { Room } from './reasons.ts'
import { backupsText } from './text.ts'

/** `usual`: the installation decides. */
type Kind = 'usual' | 'zstd' | 'restic'

export function NewBackup({ room, onClose }: { room: Room; onClose(): void }) {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId } = useServer()
  const [name, setName] = useState(() => t.suggested(format.date(Date.now())))
  const [ignored, setIgnored] = useState('')
  const [kind, setKind] = useState<Kind>('usual')
  const [locked, setLocked] = useState(false)
  const create = useAction({
    run: () =>
      api.createBackup({
        params: { serverId },
        body: { name: name.trim(), ignored, locked, ...(kind !== 'usual' && { format: kind }) },
      }),
    done: t.begun,
    changes: [backupsQuery(serverId).queryKey, backupSettingsQuery(serverId).queryKey],
    quiet: true,
    onDone: onClose,
  })
  const wrong = { name: fieldError(create.error, 'name'), ignored: fieldError(create.error, 'ignored') }
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.create}
      submit={t.create}
      busy={create.isPending}
      disabled={name.trim() === ''}
      onSubmit={() => create.mutate()}
    >
      {room.is === 'rotates' && (
        <Notice tone="warn">{t.rotates(room.oldest.name, format.relative(room.oldest.createdAt))}</Notice>
      )}
      <Field label={t.name} hint={t.nameHint} error={wrong.name}>
        <Input autoFocus required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.ignored} hint={t.ignoredHint} error={wrong.ignored}>
        <TextArea
          value={ignored}
          onChange={(event) => setIgnored(event.target.value)}
          spellCheck={false}
          className="font-mono text-[13px]"
        />
      </Field>
      <RadioGroup
        label={t.kind}
        value={kind}
        onChange={(next) => setKind(next)}
        choices={[
          { value: 'usual', label: t.kinds.usual, hint: t.usualHint },
          { value: 'restic', label: t.kinds.restic, hint: t.resticHint },
          { value: 'zstd', label: t.kinds.zstd, hint: t.archiveHint },
        ]}
      />
      <Switch label={t.lockIt} hint={t.lockHint} checked={locked} onChange={setLocked} />
      {create.error && !wrong.name && !wrong.ignored && <Notice tone="bad">{errorText(create.error)}</Notice>}
    </FormDialog>
  )
}
