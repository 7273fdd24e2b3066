import { useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { HeartPulse } from 'lucide-react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Badge } from '../ui/badge.tsx'
import { Card } from '../ui/card.tsx'
import { CodeBlock } from '../ui/code-block.tsx'
import { EmptyState } from '../ui/state.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { type Crash, crashesQuery } from './queries.ts'
import { endingOf } from './reason.ts'
import { crashesText } from './text.ts'

/** When a server crashed or hung, and what its console said before. */
export function CrashesPage() {
  const t = useText(crashesText)
  const { serverId } = useServer()
  const { data: crashes } = useSuspenseQuery(crashesQuery(serverId))
  return (
    <>
      <Policy />
      <Card title={t.title} description={t.hint} flush>
        {crashes.length === 0 ? (
          <EmptyState icon={HeartPulse} title={t.none}>
            {t.noneHint}
          </EmptyState>
        ) : (
          <ul>
            {crashes.map((crash) => (
              <CrashItem key={crash.id} crash={crash} />
            ))}
          </ul>
        )}
      </Card>
    </>
  )
}

/** What the server's settings say is done then. */
function Policy() {
  const t = useText(crashesText)
  const { serverId, server, may } = useServer()
  return (
    <Card title={t.restart}>
      <p>
        {t.onCrash(server.restartOnCrash)} {t.onHang(server.restartOnHang)}{' '}
        {may('settings.read') && (
          <Link
            to="/servers/$serverId/settings"
            params={{ serverId }}
            className="text-accent-text underline underline-offset-2"
          >
            {t.change}
          </Link>
        )}
      </p>
    </Card>
  )
}

function CrashItem({ crash }: { crash: Crash }) {
  const t = useText(crashesText)
  const format = useFormat()
  const { kind, at, lines, restarted } = crash
  return (
    // As with the cards of servers: what is out of sight is neither laid out nor painted.
    <li className="grid gap-3 border-line border-t px-5 py-4 [contain-intrinsic-size:auto_16rem] [content-visibility:auto]">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Badge tone={kind === 'crash' ? 'bad' : 'warn'}>{t.kinds[kind]}</Badge>
        <span className="font-medium">{format.time(at)}</span>
        <span className="text-muted">
          <RelativeTime at={at} />
        </span>
      </div>
      {kind === 'crash' ? (
        <Cause crash={crash} />
      ) : (
        <p className="wrap-anywhere">
          <bdi>{crash.message}</bdi> {restarted ? t.restarted : t.notRestarted}
        </p>
      )}
      {lines.length === 0 ? (
        <p className="text-muted">{t.noLines}</p>
      ) : (
        <div className="min-w-0">
          <h3 className="mb-1.5 font-medium text-[13px] text-muted">{t.lines}</h3>
          <CodeBlock text={lines.join('\n')} />
        </div>
      )}
    </li>
  )
}

function Cause({ crash }: { crash: Crash }) {
  const t = useText(crashesText)
  const ending = endingOf(crash)
  switch (ending.by) {
    case 'memory':
      return <Words what={t.outOfMemory} next={t.outOfMemoryNext} />
    case 'signal':
      return <Words what={t.bySignal(ending.signal)} next={entryOf(t.signals, ending.signal)} />
    case 'code':
      return <Words what={t.byCode(String(ending.code))} next={entryOf(t.codes, String(ending.code))} />
    case 'unknown':
      return <Words what={t.byItself} next={undefined} />
  }
}

const Words = ({ what, next }: { what: string; next: string | undefined }) => (
  <p className="wrap-anywhere">
    {what} {next && <span className="text-muted">{next}</span>}
  </p>
)

const entryOf = (words: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(words, key) ? words[key] : undefined
