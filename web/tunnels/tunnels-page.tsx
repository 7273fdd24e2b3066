import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Cable, Plus } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { serversQuery, shortId } from '../servers/queries.ts'
import { useMay, useWorkspace } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CommandBlock, Copyable } from '../ui/copy.tsx'
import { ConfirmDialog, Dialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Select } from '../ui/select.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { type Tunnel, tunnelsQuery } from './queries.ts'
import { tunnelsText } from './text.ts'

export function TunnelsPage() {
  const t = useText(tunnelsText)
  const format = useFormat()
  const { data } = useSuspenseQuery(tunnelsQuery)
  const { data: servers } = useQuery(serversQuery)
  const mayClose = useMay('tunnels.close')
  const [opening, setOpening] = useState(false)
  const [closing, setClosing] = useState<Tunnel | null>(null)
  const close = useAction({
    run: (tunnel: string) => api.deleteTunnel({ params: { tunnel } }),
    done: t.closed,
    changes: [tunnelsQuery.queryKey],
    onDone: () => setClosing(null),
  })
  const open = (
    <Button kind="primary" icon={Plus} onClick={() => setOpening(true)}>
      {t.open}
    </Button>
  )
  const nameOf = (serverId: string): string => servers?.find(({ id }) => id === serverId)?.name ?? serverId
  return (
    <ListPage
      text={t}
      icon={Cable}
      add={open}
      rows={data.tunnels}
      columns={[
        {
          key: 'name',
          title: t.name,
          className: 'wrap-anywhere md:min-w-36',
          cell: ({ id, name, kind }) => (
            <span>
              <Link to="/tunnels/$tunnel" params={{ tunnel: id }} className="font-medium hover:underline">
                {name}
              </Link>
              <span className="block text-muted text-xs">{t.kinds[kind]}</span>
            </span>
          ),
        },
        {
          key: 'address',
          title: t.address,
          // What people come for.
          className: 'md:w-1/3',
          cell: ({ addresses }) => (
            <span className="grid min-w-0 justify-items-start max-md:justify-items-end">
              {addresses.map((address) => (
                <Copyable key={address} text={address} />
              ))}
            </span>
          ),
        },
        {
          key: 'state',
          title: t.state,
          cell: ({ open: isOpen, openSince }) => (
            <span className="inline-flex flex-wrap items-center gap-2">
              <Badge tone={isOpen ? 'good' : 'plain'} dot>
                {isOpen ? t.isOpen : t.isClosed}
              </Badge>
              {openSince && (
                <span className="text-muted text-xs">
                  <RelativeTime at={openSince} />
                </span>
              )}
            </span>
          ),
        },
        {
          key: 'connections',
          title: t.connections,
          align: 'right',
          wideOnly: true,
          cell: ({ connections }) => format.number(connections),
        },
        {
          key: 'server',
          title: t.server,
          wideOnly: true,
          className: 'wrap-anywhere md:min-w-28',
          cell: ({ serverId }) =>
            serverId && (
              <Link
                to="/servers/$serverId"
                params={{ serverId: shortId(serverId) }}
                className="text-accent-text hover:underline"
              >
                {nameOf(serverId)}
              </Link>
            ),
        },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (tunnel) => (
            <Button
              small
              kind="quiet"
              aria-label={`${t.close}: ${tunnel.name}`}
              unavailable={!mayClose ? t.mayNot : tunnel.serverId ? t.ofServer : null}
              onClick={() => setClosing(tunnel)}
            >
              {t.close}
            </Button>
          ),
        },
      ]}
    >
      <HowToOpen open={opening} onOpenChange={setOpening} />
      <ConfirmDialog
        open={closing !== null}
        onOpenChange={() => setClosing(null)}
        title={t.closeTitle(closing?.name ?? '')}
        description={t.closeText}
        submit={t.close}
        busy={close.isPending}
        onSubmit={() => closing && close.mutate(closing.id)}
      />
    </ListPage>
  )
}

const openable = ['http', 'tcp', 'udp', 'tcp+udp', 'tls', 'minecraft'] as const

/** A tunnel opens from the machine that has the service: shows what to run there. */
function HowToOpen({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  const t = useText(tunnelsText)
  const workspace = useWorkspace()
  const [kind, setKind] = useState<(typeof openable)[number]>('http')
  const [port, setPort] = useState('3000')
  const [name, setName] = useState('web')
  const flags = [kind === 'http' ? '' : `--${kind.replace('+', ' --')}`, `--as ${name || 'web'}`]
    .filter(Boolean)
    .join(' ')
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.howTitle} description={t.howHint} wide>
      <div className="grid gap-4">
        <div className="grid gap-4 sm:grid-cols-3">
          <Field label={t.kind}>
            <Select
              value={kind}
              choices={openable.map((each) => ({ value: each, label: t.kinds[each] }))}
              onChange={(next) => setKind(next)}
            />
          </Field>
          <Field label={t.localPort}>
            <Input type="number" min={1} max={65_535} value={port} onChange={(event) => setPort(event.target.value)} />
          </Field>
          <Field label={t.name} hint={workspace ? `${name || 'web'}.${workspace.tunnelBase}` : t.nameHint}>
            <Input
              maxLength={63}
              spellCheck={false}
              autoCapitalize="none"
              value={name}
              onChange={(event) => setName(event.target.value.toLowerCase().replace(/[^a-z0-9-]/g, ''))}
            />
          </Field>
        </div>
        <CommandBlock text={`npx pharos open ${port || '3000'} ${flags}`} />
        <p className="text-muted">{t.firstUse}</p>
        <CommandBlock text={`npx pharos login --panel ${location.origin}`} />
      </div>
    </Dialog>
  )
}
