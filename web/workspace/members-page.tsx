import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { UserPlus } from 'lucide-react'
import { useState } from 'react'
import { type Role, roles } from '../../src/contract/permissions.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { invitationsQuery, membersQuery } from './queries.ts'
import { workspaceText } from './text.ts'

type Member = Awaited<ReturnType<typeof api.members>>['members'][number]

export function MembersPage() {
  const t = useText(workspaceText).members
  const format = useFormat()
  const me = useAccount()
  const { data } = useSuspenseQuery(membersQuery)
  const mayManage = data.permissions.includes('members.manage')
  const { data: invited } = useQuery({ ...invitationsQuery, enabled: mayManage })
  const [inviting, setInviting] = useState(false)
  const [link, setLink] = useState<{ email: string; url: string } | null>(null)
  const [removing, setRemoving] = useState<Member | null>(null)
  const change = useAction({
    run: ({ id, role }: { id: string; role: Role }) => api.updateMember({ params: { member: id }, body: { role } }),
    done: t.changed,
    changes: [membersQuery.queryKey],
  })
  const remove = useAction({
    run: (id: string) => api.removeMember({ params: { member: id } }),
    done: t.removed,
    changes: [membersQuery.queryKey],
    onDone: () => setRemoving(null),
  })
  const withdraw = useAction({
    run: (id: string) => api.deleteInvitation({ params: { invitation: id } }),
    done: t.withdrawn,
    changes: [invitationsQuery.queryKey],
  })
  const whyNot = mayManage ? null : t.mayNot
  return (
    <Page
      title={t.title}
      tabTitle={t.title}
      description={t.hint}
      actions={
        <Button kind="primary" icon={UserPlus} unavailable={whyNot} onClick={() => setInviting(true)}>
          {t.invite}
        </Button>
      }
    >
      <div className="grid gap-5">
        <Card flush>
          <Table
            caption={t.title}
            rows={data.members}
            rowKey={({ id }) => id}
            columns={[
              {
                key: 'name',
                title: t.name,
                cell: ({ id, name, email }) => (
                  <span className="wrap-anywhere">
                    <span className="font-medium">{name || email}</span> {id === me.id && <Badge>{t.you}</Badge>}
                    <span className="block text-muted text-xs">{email}</span>
                  </span>
                ),
              },
              {
                key: 'joined',
                title: t.joined,
                wideOnly: true,
                cell: ({ joinedAt }) => <RelativeTime at={joinedAt} />,
              },
              {
                key: 'role',
                title: t.role,
                cell: ({ id, role, name, email }) =>
                  mayManage ? (
                    <Select
                      label={`${t.role}: ${name || email}`}
                      className="w-36"
                      value={role}
                      choices={roles.map((each) => ({ value: each, label: t.roles[each] }))}
                      onChange={(next) => change.mutate({ id, role: next })}
                    />
                  ) : (
                    t.roles[role]
                  ),
              },
              {
                key: 'actions',
                title: t.actions,
                align: 'right',
                cell: (member) => (
                  <Button
                    small
                    kind="quiet"
                    aria-label={`${t.remove}: ${member.name || member.email}`}
                    unavailable={whyNot}
                    onClick={() => setRemoving(member)}
                  >
                    {t.remove}
                  </Button>
                ),
              },
            ]}
          />
        </Card>
        {invited && invited.invitations.length > 0 && (
          <Card title={t.pending} flush>
            <Table
              caption={t.pending}
              rows={invited.invitations}
              rowKey={({ id }) => id}
              columns={[
                { key: 'email', title: t.email, className: 'wrap-anywhere', cell: ({ email }) => email },
                { key: 'role', title: t.role, cell: ({ role }) => t.roles[role] },
                { key: 'expires', title: t.expires, wideOnly: true, cell: ({ expiresAt }) => format.date(expiresAt) },
                {
                  key: 'actions',
                  title: t.actions,
                  align: 'right',
                  cell: ({ id, email }) => (
                    <Button
                      small
                      kind="quiet"
                      aria-label={`${t.withdraw}: ${email}`}
                      busy={withdraw.isPending && withdraw.variables === id}
                      onClick={() => withdraw.mutate(id)}
                    >
                      {t.withdraw}
                    </Button>
                  ),
                },
              ]}
            />
          </Card>
        )}
      </div>
      {inviting && <Invite onClose={() => setInviting(false)} onLink={(email, url) => setLink({ email, url })} />}
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
        title={t.removeTitle(removing?.name || removing?.email || '')}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => removing && remove.mutate(removing.id)}
      />
    </Page>
  )
}

function Invite({ onClose, onLink }: { onClose(): void; onLink(email: string, url: string): void }) {
  const t = useText(workspaceText).members
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('member')
  const invite = useAction({
    run: () => api.createInvitation({ body: { email, role } }),
    changes: [invitationsQuery.queryKey],
    done: ({ mailed }) => (mailed ? t.mailed(email) : ''),
    quiet: true,
    onDone({ url }) {
      onClose()
      if (url) onLink(email, url)
    },
  })
  const wrong = fieldError(invite.error, 'email')
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.invite}
      submit={t.invite}
      busy={invite.isPending}
      onSubmit={() => invite.mutate()}
    >
      <Field label={t.email} error={wrong}>
        <Input type="email" autoFocus required value={email} onChange={(event) => setEmail(event.target.value)} />
      </Field>
      <Field label={t.role} hint={t.roleHints[role]}>
        <Select
          value={role}
          choices={roles.map((each) => ({ value: each, label: t.roles[each] }))}
          onChange={(next) => setRole(next)}
        />
      </Field>
      {invite.error && !wrong && <Notice tone="bad">{errorText(invite.error)}</Notice>}
    </FormDialog>
  )
}
