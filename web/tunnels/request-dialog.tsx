import { useQuery } from '@tanstack/react-query'
import { Pencil, RotateCw } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { CodeBlock } from '../ui/code-block.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Loading, Notice } from '../ui/state.tsx'
import { EditReplay } from './edit-replay.tsx'
import { inspectionText, problemText } from './inspection-text.ts'
import { Outcome } from './outcome.tsx'
import { type CapturedMessage, type CapturedRequest, requestQuery, requestsQuery, type Tunnel } from './queries.ts'

/** A text that is longer makes a browser slow, and is read elsewhere. */
const shownCharsMax = 100_000

/** One request with all that was kept of it, and how to send it again. */
export function RequestDialog({
  tunnel,
  request,
  onShow,
  onClose,
}: {
  tunnel: Tunnel
  request: string
  /** Another one is to be shown in its place. */
  onShow(request: string): void
  onClose(): void
}) {
  const t = useText(inspectionText)
  const { data, error } = useQuery(requestQuery(tunnel.id, request))
  return (
    <Dialog
      open
      wide
      onOpenChange={onClose}
      title={
        data ? (
          <span className="font-mono text-[15px]" dir="ltr">
            {data.method} {data.target}
            {data.targetCut && '…'}
          </span>
        ) : (
          t.request
        )
      }
    >
      {error ? <Notice tone="bad">{errorText(error)}</Notice> : !data && <Loading />}
      {data && !error && <Whole tunnel={tunnel} request={data} onShow={onShow} />}
    </Dialog>
  )
}

function Whole({
  tunnel,
  request,
  onShow,
}: {
  tunnel: Tunnel
  request: CapturedRequest
  onShow(request: string): void
}) {
  const t = useText(inspectionText)
  const format = useFormat()
  const { at, address, protocol, webSocket, tookMs, bytesIn, bytesOut } = request
  const facts: [label: string, value: ReactNode][] = [
    [t.answer, <Outcome key="outcome" request={request} />],
    [t.at, format.time(at)],
    [t.from, address],
    [t.protocol, webSocket ? `${protocol}, ${t.webSocket}` : protocol],
    [t.took, tookMs !== null && t.ms(format.number(tookMs, tookMs < 10 ? 1 : 0))],
    [t.size, `${format.bytes(bytesIn)} / ${format.bytes(bytesOut)}`],
  ]
  return (
    <div className="grid gap-4">
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-6 gap-y-1.5">
        {facts.map(
          ([label, value]) =>
            value && (
              <div key={label} className="contents">
                <dt className="text-muted">{label}</dt>
                <dd className="wrap-anywhere min-w-0">{value}</dd>
              </div>
            ),
        )}
      </dl>
      <Replay tunnel={tunnel} request={request} onShow={onShow} />
      {!request.request && <Notice>{t.bare}</Notice>}
      {request.request && <Message title={t.asked} message={request.request} />}
      {request.response && <Message title={t.answered} message={request.response} />}
    </div>
  )
}

function Replay({
  tunnel,
  request,
  onShow,
}: {
  tunnel: Tunnel
  request: CapturedRequest
  onShow(request: string): void
}) {
  const t = useText(inspectionText)
  const mayReplay = useMay('tunnels.replay')
  const [editing, setEditing] = useState(false)
  const replay = useAction({
    run: () => api.replayTunnelRequest({ params: { tunnel: tunnel.id, request: request.id }, body: {} }),
    done: ({ status, problem }) => t.replayed(status === null ? problemText(t, problem ?? '') : String(status)),
    changes: [requestsQuery(tunnel.id).queryKey],
    onDone: ({ id }) => onShow(id),
  })
  const never = !mayReplay
    ? t.mayNot
    : request.webSocket
      ? t.noReplay.socket
      : request.request === null
        ? t.noReplay.bare
        : null
  return (
    <div className="flex flex-wrap gap-2">
      <Button
        kind="primary"
        icon={RotateCw}
        busy={replay.isPending}
        unavailable={never ?? (request.request?.body.cut ? t.noReplay.cut : null)}
        onClick={() => replay.mutate()}
      >
        {t.replay}
      </Button>
      <Button icon={Pencil} unavailable={never} onClick={() => setEditing(true)}>
        {t.editReplay}
      </Button>
      {editing && request.request && (
        <EditReplay
          tunnel={tunnel.id}
          request={request}
          kept={request.request}
          onSent={(id) => {
            setEditing(false)
            onShow(id)
          }}
          onClose={() => setEditing(false)}
        />
      )}
    </div>
  )
}

function Message({ title, message: { headers, body } }: { title: string; message: CapturedMessage }) {
  const t = useText(inspectionText)
  const format = useFormat()
  const kept = Math.floor((body.base64.replace(/=+$/, '').length * 3) / 4)
  const { text } = body
  return (
    <section className="grid gap-2">
      <h3 className="font-medium">{title}</h3>
      <CodeBlock text={headers.map(({ name, value }) => `${name}: ${value}`).join('\n')} />
      {body.bytes === 0 ? (
        <p className="text-muted">{t.noBody}</p>
      ) : text === null ? (
        <p className="text-muted">{t.binary(format.bytes(body.bytes))}</p>
      ) : (
        <CodeBlock text={text.slice(0, shownCharsMax)} />
      )}
      <p className="text-muted text-xs empty:hidden">
        {[
          body.coding !== null && text !== null && t.unpacked(body.coding),
          body.cut && t.cut(format.bytes(kept), format.bytes(body.bytes)),
          text !== null && ((body.textCut && !body.cut) || text.length > shownCharsMax) && t.longText,
        ]
          .filter((part) => typeof part === 'string')
          .join(' ')}
      </p>
    </section>
  )
}
