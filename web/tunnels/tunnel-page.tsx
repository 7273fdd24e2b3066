import { useSuspenseQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ChevronLeft, EyeOff, Unplug } from 'lucide-react'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Badge } from '../ui/badge.tsx'
import { Copyable } from '../ui/copy.tsx'
import { Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/state.tsx'
import { AccessCard } from './access-card.tsx'
import { CaptureCard } from './capture-card.tsx'
import { ConnectionsCard } from './connections-card.tsx'
import { inspectionText } from './inspection-text.ts'
import { tunnelsQuery } from './queries.ts'
import { RequestsCard } from './requests-card.tsx'
import { tunnelsText } from './text.ts'

/** One tunnel: what its visitors ask, who they are at this moment, and what is kept of it. */
export function TunnelPage() {
  const t = useText(inspectionText)
  const words = useText(tunnelsText)
  const id = useParams({ from: '/inside/tunnels/$tunnel', select: ({ tunnel }) => tunnel })
  const { data } = useSuspenseQuery(tunnelsQuery)
  const mayInspect = useMay('tunnels.inspect')
  const tunnel = data.tunnels.find((one) => one.id === id)
  const back = (
    <Link to="/tunnels" className="inline-flex items-center gap-1 hover:text-ink">
      <ChevronLeft aria-hidden className="size-4" />
      {t.all}
    </Link>
  )
  if (!tunnel)
    return (
      <Page title={words.title} tabTitle={words.title} description={back}>
        <EmptyState icon={Unplug} title={t.gone}>
          {t.goneHint}
        </EmptyState>
      </Page>
    )
  return (
    <Page
      title={
        <span className="flex flex-wrap items-center gap-3">
          <span className="wrap-anywhere">{tunnel.name}</span>
          <Badge tone={tunnel.open ? 'good' : 'plain'} dot>
            {tunnel.open ? words.isOpen : words.isClosed}
          </Badge>
        </span>
      }
      tabTitle={`${tunnel.name} · ${words.title}`}
      description={back}
      actions={<Copyable text={tunnel.url} />}
    >
      <div className="grid gap-4">
        {mayInspect ? (
          <>
            {tunnel.kind === 'http' && <RequestsCard tunnel={tunnel} />}
            <ConnectionsCard tunnel={tunnel} />
            {tunnel.kind === 'http' && <CaptureCard tunnel={tunnel.id} />}
          </>
        ) : (
          <EmptyState icon={EyeOff} title={t.notForYou}>
            {t.notForYouHint}
          </EmptyState>
        )}
        <AccessCard tunnel={tunnel.id} http={tunnel.kind === 'http'} />
      </div>
    </Page>
  )
}
