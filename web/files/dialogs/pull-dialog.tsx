import { useState } from 'react'
import { api } from '../../api/api.ts'
import { errorText, fieldError } from '../../api/error-text.ts'
import { useText } from '../../i18n/language.tsx'
import { FormDialog } from '../../ui/dialog.tsx'
import { Field, Input } from '../../ui/field.tsx'
import { Notice } from '../../ui/state.tsx'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { filesText } from '../text.ts'

/** Has the server's machine fetch a URL. */
export function PullDialog({ serverId, directory, onClose }: { serverId: string; directory: string; onClose(): void }) {
  const t = useText(filesText)
  const [url, setUrl] = useState('')
  const [name, setName] = useState('')
  const pull = useFileAction({
    run: () =>
      api.pullFile({ params: { serverId }, body: { url: url.trim(), directory, ...(name === '' ? {} : { name }) } }),
    quiet: true,
    onDone: onClose,
  })
  const [ofUrl, ofName] = [fieldError(pull.error, 'url'), fieldError(pull.error, 'name')]
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.pull}
      description={t.pullHint}
      submit={t.fetch}
      busy={pull.isPending}
      disabled={url.trim() === ''}
      onSubmit={() => pull.mutate(undefined)}
    >
      <Field label={t.url} error={ofUrl}>
        <Input
          type="url"
          value={url}
          autoComplete="off"
          placeholder="https://example.org/plugin.jar"
          onChange={(event) => setUrl(event.target.value)}
        />
      </Field>
      <Field label={t.saveAs} hint={t.saveAsHint} error={ofName}>
        <Input
          value={name}
          maxLength={255}
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      {pull.error && !ofUrl && !ofName && <Notice tone="bad">{visible(errorText(pull.error))}</Notice>}
    </FormDialog>
  )
}
