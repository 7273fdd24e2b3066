import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { Database, Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Menu } from '../ui/menu.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { databaseHostsText } from './database-hosts-text.ts'

type Host = Awaited<ReturnType<typeof api.databaseHosts>>['hosts'][number]

const portDefault = 3306

const hostsQuery = queryOptions({
  queryKey: ['database-hosts'],
  queryFn: async ({ signal }) => (await api.databaseHosts({}, { signal })).hosts,
})

export function DatabaseHostsPage() {
  const t = useText(databaseHostsText)
  return (
    <AdministratorsPage title={t.title}>
      <DatabaseHosts />
    </AdministratorsPage>
  )
}

type Doing = { what: 'change' | 'remove'; host: Host } | { what: 'add' }

function DatabaseHosts() {
  const t = useText(databaseHostsText)
  const format = useFormat()
  const { data: hosts } = useSuspenseQuery(hostsQuery)
  const [doing, setDoing] = useState<Doing | null>(null)
  const close = (): void => setDoing(null)
  const test = useAction({
    run: (host: Host) => api.testDatabaseHost({ params: { host: host.id } }),
    done: ({ version }, { name }) => t.works(name, version),
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setDoing({ what: 'add' })}>
      {t.add}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={Database}
      add={add}
      rows={hosts}
      columns={[
        { key: 'name', title: t.name, className: 'wrap-anywhere font-medium', cell: ({ name }) => name },
        {
          key: 'address',
          title: t.address,
          cell: ({ host, port, tls }) => (
            <span className="inline-flex flex-wrap items-center gap-2">
              <code className="wrap-anywhere text-[13px]">{`${host}:${port}`}</code>
              <Badge tone={tls ? 'good' : 'plain'}>{tls ? t.encrypted : t.plain}</Badge>
            </span>
          ),
        },
        {
          key: 'databases',
          title: t.databases,
          align: 'right',
          cell: ({ databases, capacity }) =>
            capacity === null ? format.number(databases) : t.of(format.number(databases), format.number(capacity)),
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (host) => (
            <span className="inline-flex items-center gap-1">
              <Button
                small
                aria-label={t.testOf(host.name)}
                busy={test.isPending && test.variables.id === host.id}
                onClick={() => test.mutate(host)}
              >
                {t.test}
              </Button>
              <Menu
                label={t.moreFor(host.name)}
                entries={[
                  { label: t.change, icon: Pencil, onSelect: () => setDoing({ what: 'change', host }) },
                  'line',
                  {
                    ...{ label: t.remove, icon: Trash2, danger: true },
                    onSelect: () => setDoing({ what: 'remove', host }),
                  },
                ]}
              />
            </span>
          ),
        },
      ]}
    >
      {doing?.what === 'add' && <HostForm host={null} onClose={close} />}
      {doing?.what === 'change' && <HostForm host={doing.host} onClose={close} />}
      {doing?.what === 'remove' && <RemoveHost host={doing.host} onClose={close} />}
    </ListPage>
  )
}

function RemoveHost({ host, onClose }: { host: Host; onClose(): void }) {
  const t = useText(databaseHostsText)
  const remove = useAction({
    run: () => api.deleteDatabaseHost({ params: { host: host.id } }),
    done: t.removed(host.name),
    changes: [hostsQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={t.removeTitle(host.name)}
      description={t.removeText}
      submit={t.remove}
      busy={remove.isPending}
      onSubmit={() => remove.mutate()}
    >
      {remove.error && <Notice tone="bad">{errorText(remove.error)}</Notice>}
    </ConfirmDialog>
  )
}

function HostForm({ host: known, onClose }: { host: Host | null; onClose(): void }) {
  const t = useText(databaseHostsText)
  const [values, setValues] = useState({
    name: known?.name ?? '',
    host: known?.host ?? '',
    port: String(known?.port ?? portDefault),
    username: known?.username ?? '',
    password: '',
    capacity: String(known?.capacity ?? ''),
  })
  const [tls, setTls] = useState(known?.tls ?? false)
  const save = useAction({
    run() {
      const { name, host, username, password } = values
      const body = {
        ...{ name, host: host.trim(), username, tls, port: Number(values.port) },
        capacity: values.capacity.trim() === '' ? null : Number(values.capacity),
      }
      return known
        ? api.updateDatabaseHost({
            params: { host: known.id },
            body: password === '' ? body : { ...body, password },
          })
        : api.createDatabaseHost({ body: { ...body, password } })
    },
    done: ({ name }) => (known ? t.saved : t.added(name)),
    changes: [hostsQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const field = (name: keyof typeof values) => ({
    value: values[name],
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }),
  })
  const fields = Object.keys(values).some((name) => fieldError(error, name))
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={known ? t.changeTitle(known.name) : t.add}
      description={t.tried}
      submit={known ? t.save : t.add}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.name} error={fieldError(error, 'name')}>
        <Input required maxLength={80} {...field('name')} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_7rem]">
        <Field label={t.host} hint={t.hostHint} error={fieldError(error, 'host')}>
          <Input maxLength={253} spellCheck={false} {...field('host')} />
        </Field>
        <Field label={t.port} error={fieldError(error, 'port')}>
          <Input type="number" min={1} max={65535} {...field('port')} />
        </Field>
      </div>
      <Field label={t.username} hint={t.usernameHint} error={fieldError(error, 'username')}>
        <Input maxLength={80} autoComplete="off" spellCheck={false} {...field('username')} />
      </Field>
      <Field label={t.password} hint={known && t.passwordKept} error={fieldError(error, 'password')}>
        <Input type="password" maxLength={256} autoComplete="new-password" {...field('password')} />
      </Field>
      <Field label={t.capacity} hint={t.capacityHint} error={fieldError(error, 'capacity')}>
        <Input type="number" min={1} {...field('capacity')} />
      </Field>
      <Switch label={t.tls} hint={t.tlsHint} checked={tls} onChange={setTls} />
      {error && !fields && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}
