import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { UserPlus, Users } from 'lucide-react'
import { useState } from 'react'
import { type ServerPermission, serverPermissions } from '../../src/contract/permissions.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { useAccount } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { EmptyState, Notice } from '../ui/state.tsx'
import { Checkbox } from '../ui/switch.tsx'
import { Table } from '../ui/table.tsx'
import { permissionGroups } from './permission-groups.ts'
import { peopleText, permissionText } from './text.ts'

type Subuser = Awaited<ReturnType<typeof api.subusers>>[number]
type Granted = ReadonlySet<ServerPermission>

const subusersQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'people'],
    queryFn: ({ signal }) => api.subusers({ params: { serverId } }, { signal }),
  })

/** What a new one may do unless more is chosen: look. */
const usual: readonly ServerPermission[] = ['console.read', 'control.start', 'control.stop', 'control.restart']

export function PeoplePage() {
  const t = useText(peopleText)
  const me = useAccount()
  const { serverId, may } = useServer()
  const { data: people } = useSuspenseQuery(subusersQuery(serverId))
  const [adding, setAdding] = useState(false)
  const [changing, setChanging] = useState<Subuser | null>(null)
  const [removing, setRemoving] = useState<Subuser | null>(null)
  const [link, setLink] = useState<{ email: string; url: string } | null>(null)
  const remove = useAction({
    run: (subuser: string) => api.deleteSubuser({ params: { serverId, subuser } }),
    done: t.removed,
    changes: [subusersQuery(serverId).queryKey],
    onDone: () => setRemoving(null),
  })
  const add = (
    <Button
      kind="primary"
      icon={UserPlus}
      unavailable={may('users.create') ? null : t.mayNot}
      onClick={() => setAdding(true)}
    >
      {t.invite}
    </Button>
  )
  return (
    <>
      <Card title={t.title} description={t.hint} flush actions={people.length > 0 && add}>
        {people.length === 0 ? (
          <EmptyState icon={Users} title={t.none} actions={add}>
            {t.noneHint}
          </EmptyState>
        ) : (
          <Table
            caption={t.title}
            rows={people}
            rowKey={({ id }) => id}
            columns={[
              {
                key: 'email',
                title: t.email,
                className: 'wrap-anywhere font-medium',
                cell: ({ email, pending }) => (
                  <span className="inline-flex flex-wrap items-center gap-2">
                    {email}
                    {pending && <Badge tone="warn">{t.pending}</Badge>}
                    {email === me.email && <Badge>{t.you}</Badge>}
                  </span>
                ),
              },
              {
                key: 'permissions',
                title: t.permissions,
                cell: ({ permissions }) =>
                  permissions.length === serverPermissions.length ? t.all : t.count(permissions.length),
              },
              {
                key: 'actions',
                title: t.actions,
                align: 'right',
                cell: (subuser) => (
                  <span className="inline-flex flex-wrap justify-end gap-1">
                    <Button
                      small
                      kind="quiet"
                      unavailable={may('users.update') ? null : t.mayNot}
                      onClick={() => setChanging(subuser)}
                    >
                      {t.change}
                    </Button>
                    <Button
                      small
                      kind="quiet"
                      unavailable={may('users.delete') ? null : t.mayNot}
                      onClick={() => setRemoving(subuser)}
                    >
                      {t.remove}
                    </Button>
                  </span>
                ),
              },
            ]}
          />
        )}
      </Card>
      {adding && (
        <Add serverId={serverId} onClose={() => setAdding(false)} onLink={(email, url) => setLink({ email, url })} />
      )}
      {changing && (
        <Change key={changing.id} serverId={serverId} subuser={changing} onClose={() => setChanging(null)} />
      )}
      <Dialog
        open={link !== null}
        onOpenChange={() => setLink(null)}
        title={t.linkTitle}
        description={t.linkHint(link?.email ?? '')}
      >
        <CommandBlock text={link?.url ?? ''} />
      </Dialog>
      <ConfirmDialog
        open={removing !== null}
        onOpenChange={() => setRemoving(null)}
        title={t.removeTitle(removing?.email ?? '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => removing && remove.mutate(removing.id)}
      />
    </>
  )
}

function Add({
  serverId,
  onClose,
  onLink,
}: {
  serverId: string
  onClose(): void
  onLink(email: string, url: string): void
}) {
  const t = useText(peopleText)
  const { may } = useServer()
  const [email, setEmail] = useState('')
  const [granted, setGranted] = useState<Granted>(() => new Set(usual.filter(may)))
  const add = useAction({
    run: () => api.createSubuser({ params: { serverId }, body: { userEmail: email, permissions: [...granted] } }),
    done: ({ mailed, message }) => (mailed ? t.mailed(email) : message),
    changes: [subusersQuery(serverId).queryKey],
    quiet: true,
    onDone({ invitationUrl }) {
      onClose()
      if (invitationUrl) onLink(email, invitationUrl)
    },
  })
  const wrong = fieldError(add.error, 'userEmail')
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={t.invite}
      submit={t.invite}
      busy={add.isPending}
      onSubmit={() => add.mutate()}
    >
      <Field label={t.email} hint={t.emailHint} error={wrong}>
        <Input type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
      </Field>
      <Permissions granted={granted} onChange={setGranted} />
      {add.error && !wrong && <Notice tone="bad">{errorText(add.error)}</Notice>}
    </FormDialog>
  )
}

function Change({ serverId, subuser, onClose }: { serverId: string; subuser: Subuser; onClose(): void }) {
  const t = useText(peopleText)
  const [granted, setGranted] = useState<Granted>(() => new Set(subuser.permissions))
  const save = useAction({
    run: () => api.updateSubuser({ params: { serverId, subuser: subuser.id }, body: { permissions: [...granted] } }),
    done: t.saved,
    changes: [subusersQuery(serverId).queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={subuser.email}
      submit={t.save}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      <Permissions granted={granted} onChange={setGranted} />
      {save.error && <Notice tone="bad">{errorText(save.error)}</Notice>}
    </FormDialog>
  )
}

/** Every permission with what it allows, by what it is about. One that the person does not hold cannot be given. */
function Permissions({ granted, onChange }: { granted: Granted; onChange(granted: Granted): void }) {
  const t = useText(peopleText)
  const words = useText(permissionText)
  const { may } = useServer()
  const set = (permissions: readonly ServerPermission[], on: boolean): void => {
    const next = new Set(granted)
    for (const permission of permissions) {
      if (on) next.add(permission)
      else next.delete(permission)
    }
    onChange(next)
  }
  return (
    <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
      {permissionGroups.map(({ group, permissions }) => {
        const mine = permissions.filter(may)
        const held = permissions.filter((permission) => granted.has(permission))
        return (
          <fieldset key={group} className="grid content-start gap-2">
            <legend className="mb-2 font-semibold">
              <Checkbox
                label={words.groups[group]}
                disabled={mine.length === 0}
                checked={held.length === 0 ? false : held.length === permissions.length ? true : 'indeterminate'}
                onChange={(on) => set(mine, on)}
              />
            </legend>
            {permissions.map((permission) => (
              <div key={permission} className="pl-7">
                <Checkbox
                  label={words.names[permission]}
                  hint={may(permission) ? undefined : t.notYours}
                  disabled={!may(permission)}
                  checked={granted.has(permission)}
                  onChange={(on) => set([permission], on)}
                />
              </div>
            ))}
          </fieldset>
        )
      })}
    </div>
  )
}
