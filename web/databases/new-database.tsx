import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { resourcesQuery } from '../servers/queries.ts'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { connectionString } from './connection.ts'
import { Facts } from './facts.tsx'
import { databasesQuery } from './queries.ts'
import { databasesText } from './text.ts'

type Made = Awaited<ReturnType<typeof api.createDatabase>>

/** Asks for a name, then shows what to enter elsewhere. */
export function NewDatabase({ onClose }: { onClose(): void }) {
  const t = useText(databasesText)
  const { serverId } = useServer()
  const [name, setName] = useState('')
  const [remote, setRemote] = useState('')
  const [made, setMade] = useState<Made | null>(null)
  const create = useAction({
    run: () =>
      api.createDatabase({
        params: { serverId },
        body: { database: name.trim(), ...(remote.trim() === '' ? {} : { remote: remote.trim() }) },
      }),
    changes: [databasesQuery(serverId).queryKey, resourcesQuery(serverId).queryKey],
    quiet: true,
    onDone: setMade,
  })
  if (made) return <MadeDatabase name={name.trim()} made={made} onClose={onClose} />
  const wrong = { name: fieldError(create.error, 'database'), remote: fieldError(create.error, 'remote') }
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
      <Field label={t.name} hint={t.nameHint} error={wrong.name}>
        <Input
          autoFocus
          required
          maxLength={48}
          spellCheck={false}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field label={t.remote} hint={t.remoteHint} error={wrong.remote}>
        <Input
          maxLength={60}
          spellCheck={false}
          autoComplete="off"
          value={remote}
          onChange={(event) => setRemote(event.target.value)}
        />
      </Field>
      {create.error && !wrong.name && !wrong.remote && <Notice tone="bad">{errorText(create.error)}</Notice>}
    </FormDialog>
  )
}

function MadeDatabase({ name, made, onClose }: { name: string; made: Made; onClose(): void }) {
  const t = useText(databasesText)
  return (
    <Dialog open onOpenChange={onClose} title={t.madeTitle(name)} description={t.madeHint}>
      <div className="grid gap-4">
        {made.note && <Notice tone="warn">{made.note}</Notice>}
        <Facts
          facts={[
            [t.address, <Copyable key="address" text={`${made.host}:${made.port}`} />],
            [t.database, <Copyable key="database" text={made.database} />],
            [t.user, <Copyable key="user" text={made.username} />],
            [t.password, <Copyable key="password" text={made.password} secret />],
            [
              t.remote,
              <code key="remote" className="font-mono text-[13px]">
                {made.remote}
              </code>,
            ],
            [t.connection, <Copyable key="connection" text={connectionString(made, made.password)} secret />],
          ]}
        />
        <div className="flex justify-end">
          <Button kind="primary" autoFocus onClick={onClose}>
            {t.done}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
