import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ChevronLeft, KeyRound, Pencil, Power, Send, Trash2 } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Copyable } from '../ui/copy.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Facts } from '../ui/facts.tsx'
import { Menu } from '../ui/menu.tsx'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { ChangeWebhook } from './change-webhook.tsx'
import { Deliveries } from './deliveries.tsx'
import { type Webhook, webhookQuery, webhooksQuery } from './queries.ts'
import { SecretDialog } from './secret-dialog.tsx'
import { nameOf, WebhookState } from './state.tsx'
import { webhooksText } from './text.ts'
import { NotForYou } from './webhooks-page.tsx'

export function WebhookPage() {
  const mayRead = useMay('webhooks.read')
  return mayRead ? <OneWebhook /> : <NotForYou />
}

/** One webhook: what it tells whom, how that goes, and what was delivered. */
function OneWebhook() {
  const t = useText(webhooksText)
  const id = useParams({ from: '/inside/webhooks/$webhook', select: ({ webhook }) => webhook })
  const { data: webhook } = useSuspenseQuery(webhookQuery(id))
  return (
    <Page
      title={
        <span className="flex flex-wrap items-center gap-3">
          <span className="wrap-anywhere">{nameOf(webhook)}</span>
          <WebhookState webhook={webhook} />
        </span>
      }
      tabTitle={`${nameOf(webhook)} · ${t.title}`}
      description={
        <Link to="/webhooks" className="inline-flex items-center gap-1 hover:text-ink">
          <ChevronLeft aria-hidden className="size-4" />
          {t.all}
        </Link>
      }
      actions={<Actions webhook={webhook} />}
    >
      <div className="grid gap-4">
        <Trouble webhook={webhook} />
        <About webhook={webhook} />
        <Deliveries webhook={webhook} />
      </div>
    </Page>
  )
}

function Actions({ webhook }: { webhook: Webhook }) {
  const t = useText(webhooksText)
  const format = useFormat()
  const navigate = useNavigate()
  const [asked, setAsked] = useState<'change' | 'rotate' | 'remove' | null>(null)
  const [secret, setSecret] = useState<{ secret: string; oldUntil: string } | null>(null)
  const close = (): void => setAsked(null)
  const params = { webhook: webhook.id }
  const test = useAction({
    run: () => api.testWebhook({ params }),
    done: t.tested,
    changes: [webhooksQuery.queryKey],
  })
  const rotate = useAction({
    run: () => api.rotateWebhookSecret({ params }),
    onDone(made) {
      close()
      setSecret(made)
    },
  })
  const turn = useSwitch(webhook)
  const remove = useAction({
    run: () => api.deleteWebhook({ params }),
    done: t.removed,
    changes: () => [],
    onDone: () => void navigate({ to: '/webhooks' }),
  })
  return (
    <>
      <Button
        kind="primary"
        icon={Send}
        busy={test.isPending}
        unavailable={webhook.enabled ? null : t.isOff}
        onClick={() => test.mutate()}
      >
        {t.test}
      </Button>
      <Button icon={Pencil} onClick={() => setAsked('change')}>
        {t.change}
      </Button>
      <Menu
        label={t.more}
        entries={[
          {
            label: t.rotate,
            icon: KeyRound,
            onSelect: () => setAsked('rotate'),
            disabled: webhook.format === 'mail',
            hint: webhook.format === 'mail' ? t.noSecret : undefined,
          },
          {
            label: webhook.enabled ? t.switchOff : t.switchOn,
            icon: Power,
            onSelect: () => turn.mutate(!webhook.enabled),
          },
          'line',
          { label: t.remove, icon: Trash2, danger: true, onSelect: () => setAsked('remove') },
        ]}
      />
      {asked === 'change' && <ChangeWebhook webhook={webhook} onClose={close} />}
      <ConfirmDialog
        open={asked === 'rotate'}
        onOpenChange={close}
        title={t.rotateTitle}
        description={t.rotateText}
        submit={t.rotate}
        busy={rotate.isPending}
        onSubmit={() => rotate.mutate()}
      />
      <ConfirmDialog
        open={asked === 'remove'}
        onOpenChange={close}
        title={t.removeTitle(nameOf(webhook))}
        description={t.removeText}
        submit={t.remove}
        busy={remove.isPending}
        onSubmit={() => remove.mutate()}
      />
      {secret && (
        <SecretDialog
          title={t.secretTitle}
          secret={secret.secret}
          also={t.both(format.time(secret.oldUntil))}
          leave={t.done}
          onClose={() => setSecret(null)}
        />
      )}
    </>
  )
}

function useSwitch({ id }: Webhook) {
  const t = useText(webhooksText)
  return useAction({
    run: (enabled: boolean) => api.updateWebhook({ params: { webhook: id }, body: { enabled } }),
    done: (_reply, enabled) => (enabled ? t.nowOn : t.nowOff),
    changes: [webhooksQuery.queryKey],
  })
}

/** What is wrong with it, and what to do. */
function Trouble({ webhook }: { webhook: Webhook }) {
  const t = useText(webhooksText)
  const format = useFormat()
  const turn = useSwitch(webhook)
  const { enabled, disabledWhy, failingSince, dropped } = webhook
  return (
    <>
      {!enabled && (
        <Notice
          tone="bad"
          actions={
            <Button small icon={Power} busy={turn.isPending} onClick={() => turn.mutate(true)}>
              {t.switchOn}
            </Button>
          }
        >
          <p className="font-medium">{t.offText}</p>
          {disabledWhy && <p>{disabledWhy}</p>}
          {failingSince && <p className="mt-1">{t.offNext}</p>}
        </Notice>
      )}
      {enabled && failingSince && <Notice tone="warn">{t.failing(format.relative(failingSince))}</Notice>}
      {dropped > 0 && <Notice tone="warn">{t.dropped(format.number(dropped))}</Notice>}
    </>
  )
}

function About({ webhook }: { webhook: Webhook }) {
  const t = useText(webhooksText)
  const format = useFormat()
  const { url, to, events, waiting, createdAt } = webhook
  const facts: [label: string, value: ReactNode][] = [
    [t.format, t.formats[webhook.format]],
    [url === null ? t.to : t.url, <Copyable key="target" text={url ?? to ?? ''} />],
    [
      t.events,
      // A name of an event may be longer than a small screen is wide.
      <span key="events" className="flex flex-wrap gap-1.5 *:whitespace-normal">
        {events.map((event) => (
          <Badge key={event}>{t.eventNames[event]}</Badge>
        ))}
      </span>,
    ],
    [t.waiting, format.number(waiting)],
    [t.made, format.time(createdAt)],
  ]
  return (
    <Card title={t.about}>
      <Facts facts={facts} />
    </Card>
  )
}
