import { ArrowDownToLine, ChevronDown, ChevronUp, Clock, Eraser } from 'lucide-react'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import type { publicSockets } from '../../src/contract/api/index.ts'
import { commandRules } from '../../src/contract/power.ts'
import type { LiveConnection, Liveness } from '../api/live.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { PlayersCard } from '../players/players-card.tsx'
import { useRefusal } from '../servers/refusals.ts'
import { useServer } from '../servers/server-layout.tsx'
import { IconButton } from '../ui/button.tsx'
import { classNames } from '../ui/class-names.ts'
import { Input } from '../ui/field.tsx'
import { toast } from '../ui/toast.ts'
import { CommandLine } from './command-line.tsx'
import { openConsoleFeed } from './feed.ts'
import { type ConsoleView, createConsoleView } from './terminal.ts'
import { consoleText } from './text.ts'
import { Vitals } from './vitals.tsx'

type Feed = LiveConnection<(typeof publicSockets)['serverEvents']>

/** The live console of one server. */
export function ConsolePage() {
  const t = useText(consoleText)
  const format = useFormat()
  const { serverId, server, may } = useServer()
  const place = useRef<HTMLDivElement>(null)
  const view = useRef<ConsoleView>(null)
  const feed = useRef<Feed>(null)
  const [liveness, setLiveness] = useState<Liveness>('connecting')
  const [times, setTimes] = useState(false)
  const [wanted, setWanted] = useState('')
  const [found, setFound] = useState(true)
  // Read when a line is drawn: a change of language must not open the console anew.
  const clock = useRef(format.clock)
  clock.current = format.clock
  const label = useRef(t.lines)

  useEffect(() => {
    if (!place.current) return
    const shown = createConsoleView(place.current, label.current, (at) => clock.current(at))
    const opened = openConsoleFeed({
      serverId,
      onLines: (lines) => shown.add(lines),
      onLiveness: setLiveness,
      onRefused: (reason) => toast.error(reason),
    })
    view.current = shown
    feed.current = opened
    const repainted = new MutationObserver(() => shown.repaint())
    repainted.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      repainted.disconnect()
      opened[Symbol.dispose]()
      shown[Symbol.dispose]()
    }
  }, [serverId])

  const search = (direction: 'next' | 'previous'): void =>
    setFound(wanted === '' || (view.current?.search(wanted, direction) ?? false))
  const onSearchKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    search(event.shiftKey ? 'next' : 'previous')
  }
  const send = (command: string): boolean => {
    const sent = feed.current?.send({ type: 'command', command }) ?? false
    if (!sent) toast.error(t.notSent)
    view.current?.toBottom()
    return sent
  }
  const refusal = useRefusal()
  const unavailable = may('console.write') ? refusal(commandRules[server.status]) : t.mayNotWrite

  return (
    <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_16rem]">
      <div className="grid min-w-0 content-start gap-3">
        <section className="overflow-hidden rounded-xl border border-line bg-sunken" aria-label={t.title}>
          <div className="flex flex-wrap items-center gap-1 border-line border-b bg-surface p-1.5">
            <div className="relative w-full max-w-60">
              <Input
                type="search"
                aria-label={t.search}
                placeholder={t.search}
                value={wanted}
                onChange={(event) => {
                  setWanted(event.target.value)
                  setFound(true)
                }}
                onKeyDown={onSearchKey}
                className="h-8"
              />
              {!found && (
                <span
                  role="status"
                  className="absolute top-1.5 right-2 rounded bg-bad-soft px-1.5 text-bad text-xs leading-5"
                >
                  {t.noMatch}
                </span>
              )}
            </div>
            <IconButton small label={t.previous} icon={ChevronUp} onClick={() => search('previous')} />
            <IconButton small label={t.next} icon={ChevronDown} onClick={() => search('next')} />
            <span className="ml-auto flex items-center gap-1">
              {liveness === 'lost' && (
                <span role="status" className="px-2 text-warn text-xs">
                  {t.lost}
                </span>
              )}
              <IconButton
                small
                label={t.times}
                icon={Clock}
                aria-pressed={times}
                className={classNames(times && 'bg-accent-soft text-accent-text')}
                onClick={() => {
                  view.current?.showTimes(!times)
                  setTimes(!times)
                }}
              />
              <IconButton small label={t.clear} icon={Eraser} onClick={() => view.current?.clear()} />
              <IconButton small label={t.bottom} icon={ArrowDownToLine} onClick={() => view.current?.toBottom()} />
            </span>
          </div>
          <div className="rounded-b-xl p-2 has-focus-visible:outline-2 has-focus-visible:outline-accent has-focus-visible:-outline-offset-2">
            <div ref={place} className="h-[calc(100dvh-25rem)] max-h-160 min-h-64 overflow-hidden bg-sunken text-ink" />
          </div>
        </section>
        <CommandLine serverId={serverId} unavailable={unavailable} onSend={send} />
      </div>
      <div className="grid min-w-0 content-start gap-4">
        <Vitals serverId={serverId} server={server} />
        <PlayersCard />
      </div>
    </div>
  )
}
