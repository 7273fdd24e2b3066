import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Lock, Plus, Webhook as WebhookIcon } from 'lucide-react'
import { useState } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/state.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { NewWebhook } from './new-webhook.tsx'
import { webhooksQuery } from './queries.ts'
import { SecretDialog } from './secret-dialog.tsx'
import { nameOf, WebhookState } from './state.tsx'
import { webhooksText } from './text.ts'

/** Who is told of what happens in the workspace. */
export function WebhooksPage() {
  const mayRead = useMay('webhooks.read')
  return mayRead ? <Webhooks /> : <NotForYou />
}

/** For members who are neither owner nor admin. */
export function NotForYou() {
  const t = useText(webhooksText)
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint}>
      <Card>
        <EmptyState icon={Lock} title={t.mayNot}>
          {t.mayNotHint}
        </EmptyState>
      </Card>
    </Page>
  )
}

function Webhooks() {
  const t = useText(webhooksText)
  const format = useFormat()
  const navigate = useNavigate()
  const { data } = useSuspenseQuery(webhooksQuery)
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<{ id: string; secret: string } | null>(null)
  const show = (webhook: string): void => void navigate({ to: '/webhooks/$webhook', params: { webhook } })
  const create = (
    <Button kind="primary" icon={Plus} onClick={() => setMaking(true)}>
      {t.create}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={WebhookIcon}
      add={create}
      rows={data.webhooks}
      columns={[
        {
          key: 'name',
          title: t.name,
          className: 'wrap-anywhere',
          cell: (webhook) => (
            <span className="min-w-0">
              <Link
                to="/webhooks/$webhook"
                params={{ webhook: webhook.id }}
                className="font-medium text-accent-text hover:underline"
              >
                {nameOf(webhook)}
              </Link>
              <span className="block text-muted text-xs">
                {t.formats[webhook.format]}
                {webhook.label !== null && ` · ${webhook.url ?? webhook.to ?? ''}`}
              </span>
            </span>
          ),
        },
        {
          key: 'events',
          title: t.events,
          className: 'whitespace-nowrap',
          cell: ({ events }) => (
            <span title={events.map((event) => t.eventNames[event]).join('\n')}>{t.eventCount(events.length)}</span>
          ),
        },
        {
          key: 'state',
          title: t.state,
          cell: (webhook) => (
            <span className="inline-flex flex-wrap items-center gap-2">
              <WebhookState webhook={webhook} />
              {webhook.waiting > 0 && (
                <span className="text-muted text-xs">{t.waitingCount(format.number(webhook.waiting))}</span>
              )}
            </span>
          ),
        },
        {
          key: 'made',
          title: t.made,
          wideOnly: true,
          cell: ({ createdAt }) => <RelativeTime at={createdAt} />,
        },
      ]}
    >
      {making && (
        <NewWebhook
          onClose={() => setMaking(false)}
          onMade={({ id }, secret) => (secret === null ? show(id) : setMade({ id, secret }))}
        />
      )}
      {made && <SecretDialog title={t.madeTitle} secret={made.secret} leave={t.toIt} onClose={() => show(made.id)} />}
    </ListPage>
  )
}
