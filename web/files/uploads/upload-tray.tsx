import { CircleAlert, CircleCheck, CircleSlash, RotateCw, X } from 'lucide-react'
import { useFormat } from '../../i18n/format.ts'
import { useText } from '../../i18n/language.tsx'
import { Button, IconButton } from '../../ui/button.tsx'
import { Progress } from '../../ui/progress.tsx'
import { FileName, visible } from '../file-name.tsx'
import { uploadsText } from './text.ts'
import { partBytes } from './upload-file.ts'
import { isUnderWay, sentOf, type Upload, type UploadQueue } from './upload-queue.ts'

/** Uploads that are listed one by one; what needs an answer or is under way comes first. */
const listedMax = 50

/** How each upload goes, in a corner above every page. */
export function UploadTray({ queue, uploads }: { queue: UploadQueue; uploads: readonly Upload[] }) {
  const t = useText(uploadsText)
  const format = useFormat()
  const underWay = uploads.filter(({ state }) => isUnderWay(state))
  const taken = uploads.filter(({ state }) => state.kind === 'exists')
  const total = uploads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const sent = uploads.reduce((sum, upload) => sum + sentOf(upload), 0)
  const listed = uploads.toSorted((left, right) => rank(left) - rank(right)).slice(0, listedMax)
  return (
    <section
      aria-label={t.title}
      className="fixed right-3 bottom-3 z-30 flex max-h-[min(28rem,60dvh)] w-[min(24rem,calc(100vw-1.5rem))] animate-pop flex-col rounded-xl border border-line bg-raised shadow-2xl"
    >
      <header className="flex items-center gap-2 py-2 pr-2 pl-4">
        <h2 role="status" className="min-w-0 flex-1 font-semibold">
          {underWay.length > 0 ? t.running(underWay.length) : t.over}
        </h2>
        {underWay.length > 1 && (
          <Button
            small
            onClick={() => {
              for (const { id } of underWay) queue.cancel(id)
            }}
          >
            {t.cancelAll}
          </Button>
        )}
        {underWay.length === 0 && <IconButton small label={t.dismiss} icon={X} onClick={() => queue.clear()} />}
      </header>
      {underWay.length > 0 && uploads.length > 1 && (
        <div className="px-4 pb-2">
          <p className="mb-1 text-muted text-xs tabular-nums">{t.of(format.bytes(sent), format.bytes(total))}</p>
          <Progress value={sent} max={total} label={t.title} text={t.of(format.bytes(sent), format.bytes(total))} />
        </div>
      )}
      {taken.length > 1 && (
        <div className="flex flex-wrap gap-2 px-4 pb-2">
          <Button
            small
            onClick={() => {
              for (const { id } of taken) queue.retry(id, true)
            }}
          >
            {t.replaceAll}
          </Button>
          <Button
            small
            onClick={() => {
              for (const { id } of taken) queue.forget(id)
            }}
          >
            {t.skipAll}
          </Button>
        </div>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <ul className="min-h-0 overflow-y-auto border-line border-t" tabIndex={0} aria-label={t.title}>
        {listed.map((upload) => (
          <UploadItem key={upload.id} upload={upload} queue={queue} />
        ))}
        {uploads.length > listed.length && (
          <li className="px-4 py-2 text-muted">{t.more(uploads.length - listed.length)}</li>
        )}
      </ul>
    </section>
  )
}

function UploadItem({ upload, queue }: { upload: Upload; queue: UploadQueue }) {
  const t = useText(uploadsText)
  const format = useFormat()
  const { id, name, sizeBytes, state } = upload
  const figures = t.of(format.bytes(sentOf(upload)), format.bytes(sizeBytes))
  return (
    <li className="grid gap-1.5 border-line border-b px-4 py-2 last:border-b-0">
      <div className="flex min-h-8 items-center gap-2">
        {state.kind === 'done' && <CircleCheck aria-label={t.done} className="size-4 shrink-0 text-good" />}
        {(state.kind === 'failed' || state.kind === 'exists') && (
          <CircleAlert aria-hidden className="size-4 shrink-0 text-bad" />
        )}
        {state.kind === 'cancelled' && <CircleSlash aria-hidden className="size-4 shrink-0 text-muted" />}
        <span className="min-w-0 flex-1 truncate" title={visible(name)}>
          <FileName name={name} />
        </span>
        <span className="shrink-0 text-muted text-xs tabular-nums">
          {state.kind === 'waiting' ? t.waiting : state.kind === 'sending' ? figures : format.bytes(sizeBytes)}
        </span>
        {isUnderWay(state) && (
          <IconButton small label={t.cancel(visible(name))} icon={X} onClick={() => queue.cancel(id)} />
        )}
        {(state.kind === 'failed' || state.kind === 'cancelled') && (
          <IconButton small label={t.retry} icon={RotateCw} onClick={() => queue.retry(id, false)} />
        )}
      </div>
      {state.kind === 'sending' && (
        <Progress value={state.sentBytes} max={sizeBytes} label={t.progress(visible(name))} text={figures} />
      )}
      {state.kind === 'sending' && state.broken && <p className="text-warn text-xs">{t.again}</p>}
      {state.kind === 'cancelled' && sizeBytes > partBytes && <p className="text-muted text-xs">{t.cancelled}</p>}
      {state.kind === 'failed' && (
        <p role="alert" className="wrap-anywhere text-bad text-xs">
          {visible(state.reason)}
        </p>
      )}
      {state.kind === 'exists' && (
        <div role="alert" className="flex flex-wrap items-center gap-2">
          <span className="text-xs">{t.exists}</span>
          <Button small onClick={() => queue.retry(id, true)}>
            {t.replace}
          </Button>
          <Button small onClick={() => queue.forget(id)}>
            {t.skip}
          </Button>
        </div>
      )}
    </li>
  )
}

/** Questions first, then what is under way, then what is over. */
const rank = ({ state }: Upload): number =>
  ['exists', 'failed', 'sending', 'waiting', 'cancelled', 'done'].indexOf(state.kind)
