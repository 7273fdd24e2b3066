import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { type FormEvent, type ReactNode, useState } from 'react'
import { reinstallRules } from '../../src/contract/power.ts'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { resourcesQuery, serverQuery, serversQuery } from '../servers/queries.ts'
import { useRefusal } from '../servers/refusals.ts'
import { useServer } from '../servers/server-layout.tsx'
import { useAccount } from '../session/session.ts'
import { MoveCard } from '../transfers/move-card.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { RuntimeCard } from './runtime-card.tsx'
import { SftpCard } from './sftp-card.tsx'
import { settingsText } from './text.ts'

const limitNames = ['memory', 'disk', 'cpu', 'allocations', 'backups', 'databases', 'schedules'] as const

export function SettingsPage() {
  const { instanceAdmin } = useAccount()
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <General />
      <About />
      <Sleep />
      <SftpCard />
      <RuntimeCard />
      <Resources mayChange={instanceAdmin} />
      {instanceAdmin && <MoveCard />}
      <Danger instanceAdmin={instanceAdmin} />
    </div>
  )
}

function General() {
  const t = useText(settingsText)
  const { serverId, server, may } = useServer()
  const [name, setName] = useState<string | null>(null)
  const [restartOnCrash, setRestart] = useState<boolean | null>(null)
  const [restartOnHang, setRestartOnHang] = useState<boolean | null>(null)
  const save = useAction({
    run: () =>
      api.updateServer({
        params: { serverId },
        body: {
          ...(name === null ? {} : { name }),
          ...(restartOnCrash === null ? {} : { restartOnCrash }),
          ...(restartOnHang === null ? {} : { restartOnHang }),
        },
      }),
    done: t.saved,
    changes: [serverQuery(serverId).queryKey, serversQuery.queryKey],
    quiet: true,
    onDone() {
      setName(null)
      setRestart(null)
      setRestartOnHang(null)
    },
  })
  const mayUpdate = may('settings.update')
  const wrong = fieldError(save.error, 'name')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={t.general}>
      <form onSubmit={submit} className="grid gap-5">
        <Field label={t.name} error={wrong}>
          <Input
            required
            maxLength={80}
            disabled={!mayUpdate}
            value={name ?? server.name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Switch
          label={t.restartOnCrash}
          hint={t.restartHint}
          disabled={!mayUpdate}
          checked={restartOnCrash ?? server.restartOnCrash}
          onChange={setRestart}
        />
        <Switch
          label={t.restartOnHang}
          hint={t.restartOnHangHint}
          disabled={!mayUpdate}
          checked={restartOnHang ?? server.restartOnHang}
          onChange={setRestartOnHang}
        />
        {save.error && !wrong && <Notice tone="bad">{errorText(save.error)}</Notice>}
        <div>
          <Button
            type="submit"
            kind="primary"
            busy={save.isPending}
            disabled={name === null && restartOnCrash === null && restartOnHang === null}
            unavailable={mayUpdate ? null : t.mayNot}
          >
            {t.save}
          </Button>
        </div>
      </form>
    </Card>
  )
}

/** Whether it sleeps while nobody uses it. */
function Sleep() {
  const t = useText(settingsText)
  const { serverId, server, may } = useServer()
  const [enabled, setEnabled] = useState<boolean | null>(null)
  const [minutes, setMinutes] = useState<string | null>(null)
  const save = useAction({
    run: () =>
      api.updateServer({
        params: { serverId },
        body: {
          wakeOnConnect: {
            ...(enabled === null ? {} : { enabled }),
            ...(minutes === null ? {} : { idleMinutes: Number(minutes) }),
          },
        },
      }),
    done: t.saved,
    changes: [serverQuery(serverId).queryKey, serversQuery.queryKey],
    quiet: true,
    onDone() {
      setEnabled(null)
      setMinutes(null)
    },
  })
  const mayUpdate = may('settings.update')
  const wrong = fieldError(save.error, 'wakeOnConnect.idleMinutes')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  return (
    <Card title={t.sleep} description={t.sleepHint}>
      <form onSubmit={submit} className="grid gap-5">
        <Switch
          label={t.wakeOnConnect}
          hint={t.wakeOnConnectHint}
          disabled={!mayUpdate}
          checked={enabled ?? server.wakeOnConnect.enabled}
          onChange={setEnabled}
        />
        <Field label={t.idleMinutes} hint={t.idleMinutesHint} error={wrong}>
          <Input
            type="number"
            inputMode="numeric"
            required
            min={1}
            max={1440}
            step={1}
            disabled={!mayUpdate}
            value={minutes ?? String(server.wakeOnConnect.idleMinutes)}
            onChange={(event) => setMinutes(event.target.value)}
          />
        </Field>
        {save.error && !wrong && <Notice tone="bad">{errorText(save.error)}</Notice>}
        <div>
          <Button
            type="submit"
            kind="primary"
            busy={save.isPending}
            disabled={enabled === null && minutes === null}
            unavailable={mayUpdate ? null : t.mayNot}
          >
            {t.save}
          </Button>
        </div>
      </form>
    </Card>
  )
}

function About() {
  const t = useText(settingsText)
  const format = useFormat()
  const { server } = useServer()
  const facts: [label: string, value: ReactNode][] = [
    [t.id, <Copyable key="id" text={server.id} />],
    [t.template, server.template],
    [t.node, server.node.name],
    [t.owner, server.owner],
    [t.workspace, server.workspace],
    [t.created, format.time(server.createdAt)],
  ]
  return (
    <Card title={t.about}>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-x-6 gap-y-2">
        {facts.map(([label, value]) => (
          <div key={label} className="col-span-2 grid min-h-8 grid-cols-subgrid items-center">
            <dt className="text-muted">{label}</dt>
            <dd className="wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

function Resources({ mayChange }: { mayChange: boolean }) {
  const t = useText(settingsText)
  const format = useFormat()
  const { serverId, may } = useServer()
  const [changed, setChanged] = useState<Partial<Record<(typeof limitNames)[number], string>>>({})
  const { data } = useQuery({ ...resourcesQuery(serverId), enabled: may('settings.read') })
  const save = useAction({
    run: () =>
      api.updateServerLimits({
        params: { serverId },
        body: Object.fromEntries(Object.entries(changed).map(([limit, value]) => [limit, Number(value)])),
      }),
    done: ({ message }) => message,
    changes: [resourcesQuery(serverId).queryKey, serverQuery(serverId).queryKey, serversQuery.queryKey],
    quiet: true,
    onDone: () => setChanged({}),
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    save.mutate()
  }
  if (!data) return null
  const ofField = limitNames.some((limit) => fieldError(save.error, limit))
  return (
    <Card title={t.resources} {...(mayChange ? {} : { description: t.adminOnly })}>
      <form onSubmit={submit} className="grid gap-5">
        <div className="grid gap-4 sm:grid-cols-2">
          {limitNames.map((limit) => {
            const { current, limit: most } = data[limit]
            const digits = limit === 'cpu' ? 2 : 0
            const hint =
              current === null ? t.notKnown : t.used(format.number(current, digits), format.number(most, digits))
            return (
              <Field key={limit} label={t[limit]} hint={hint} error={fieldError(save.error, limit)}>
                <Input
                  type="number"
                  inputMode="decimal"
                  min={0}
                  step={limit === 'cpu' ? 0.05 : 1}
                  disabled={!mayChange}
                  value={changed[limit] ?? String(most)}
                  onChange={(event) => setChanged({ ...changed, [limit]: event.target.value })}
                />
              </Field>
            )
          })}
        </div>
        {save.error && !ofField && <Notice tone="bad">{errorText(save.error)}</Notice>}
        {mayChange && (
          <div>
            <Button type="submit" kind="primary" busy={save.isPending} disabled={Object.keys(changed).length === 0}>
              {t.save}
            </Button>
          </div>
        )}
      </form>
    </Card>
  )
}

function Danger({ instanceAdmin }: { instanceAdmin: boolean }) {
  const t = useText(settingsText)
  const { serverId, server, may, isOwner } = useServer()
  const router = useRouter()
  const [asking, setAsking] = useState<'reinstall' | 'remove' | null>(null)
  const changes = [serverQuery(serverId).queryKey, serversQuery.queryKey]
  const reinstall = useAction({
    run: () => api.reinstall({ params: { serverId } }),
    done: ({ message }) => message,
    changes,
    onDone: () => setAsking(null),
  })
  const suspend = useAction({
    run: (suspended: boolean) => api.updateSuspension({ params: { serverId }, body: { suspended } }),
    done: ({ message }) => message,
    changes,
  })
  const remove = useAction({
    run: () => api.deleteServer({ params: { serverId } }),
    done: t.removed,
    changes: [serversQuery.queryKey],
    onDone: () => void router.navigate({ to: '/servers' }),
  })
  const refusal = useRefusal()
  const suspended = server.status === 'suspended'
  const whyNotReinstall = may('settings.reinstall') ? refusal(reinstallRules[server.status]) : t.mayNot
  return (
    <Card title={t.danger}>
      <div className="grid gap-5">
        <Act label={t.reinstall} hint={t.reinstallHint}>
          <Button unavailable={whyNotReinstall} onClick={() => setAsking('reinstall')}>
            {t.reinstall}
          </Button>
        </Act>
        {instanceAdmin && (
          <Act label={suspended ? t.unsuspend : t.suspend} hint={t.suspendHint}>
            <Button busy={suspend.isPending} onClick={() => suspend.mutate(!suspended)}>
              {suspended ? t.unsuspend : t.suspend}
            </Button>
          </Act>
        )}
        <Act label={t.remove} hint={t.removeHint}>
          <Button kind="danger" unavailable={isOwner ? null : t.onlyOwner} onClick={() => setAsking('remove')}>
            {t.remove}
          </Button>
        </Act>
      </div>
      <ConfirmDialog
        open={asking === 'reinstall'}
        onOpenChange={() => setAsking(null)}
        title={t.reinstallTitle}
        description={t.reinstallHint}
        submit={t.reinstall}
        busy={reinstall.isPending}
        onSubmit={() => reinstall.mutate()}
      />
      <ConfirmDialog
        open={asking === 'remove'}
        onOpenChange={() => setAsking(null)}
        title={t.removeTitle(server.name)}
        description={t.removeHint}
        submit={t.remove}
        type={server.name}
        busy={remove.isPending}
        onSubmit={() => remove.mutate()}
      />
    </Card>
  )
}

function Act({ label, hint, children }: { label: string; hint: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-3">
      <div className="min-w-52 flex-1">
        <p className="font-medium">{label}</p>
        <p className="text-[13px] text-muted">{hint}</p>
      </div>
      {children}
    </div>
  )
}
