import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Pencil } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { harmless } from '../console/harmless.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { buttonClass } from '../ui/button.tsx'
import { ErrorState, Loading, Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { editorText } from './editor/text.ts'
import { visible } from './file-name.tsx'
import { nameOf, parentOf } from './paths.ts'
import { linkQuery } from './queries.ts'
import { readTail } from './tail.ts'
import { ViewFrame } from './view-frame.tsx'

/** A log that is followed is read again this often, ms. */
const followMs = 3_000

/** The end of a log, to read; also of one that is compressed, or too large to be edited. */
export function LogView({ serverId, path, why }: { serverId: string; path: string; why?: string }) {
  const t = useText(editorText)
  const format = useFormat()
  const queries = useQueryClient()
  const name = nameOf(path)
  const packed = /\.gz$/i.test(name)
  const [follow, setFollow] = useState(false)
  const { data, error, refetch } = useQuery({
    queryKey: ['file-tail', serverId, path],
    queryFn: async ({ signal }) => readTail(await queries.fetchQuery(linkQuery(serverId, path)), packed, signal),
    refetchInterval: follow ? followMs : false,
    retry: false,
    gcTime: 0,
  })
  const lines = useRef<HTMLPreElement>(null)
  useEffect(() => {
    // The newest is at the end.
    if (data) lines.current?.scrollTo({ top: lines.current.scrollHeight })
  }, [data])
  return (
    <ViewFrame
      serverId={serverId}
      path={path}
      actions={
        <>
          {!packed && <Switch label={t.follow} checked={follow} onChange={setFollow} />}
          {!packed && why === undefined && (
            <Link
              to="/servers/$serverId/files"
              params={{ serverId }}
              search={{ path: parentOf(path), file: name, as: 'text' }}
              className={buttonClass()}
            >
              <Pencil aria-hidden className="size-4" />
              {t.toEdit}
            </Link>
          )}
        </>
      }
    >
      {why !== undefined && <Notice>{visible(why)}</Notice>}
      {data ? (
        <>
          {data.cut && <Notice>{t.endOf(format.bytes(data.text.length))}</Notice>}
          <pre
            ref={lines}
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
            tabIndex={0}
            role="log"
            aria-live="off"
            aria-label={t.content(visible(name))}
            className="h-[calc(100dvh-22rem)] min-h-80 overflow-auto rounded-xl border border-line bg-sunken p-4 font-mono text-[13px] leading-5"
          >
            {data.text === '' ? t.emptyFile : plainLines(data.text)}
          </pre>
        </>
      ) : error ? (
        <ErrorState title={t.openFailed} onRetry={() => void refetch()}>
          {visible(errorText(error))}
        </ErrorState>
      ) : (
        <Loading />
      )}
    </ViewFrame>
  )
}

/** Without what only a terminal understands. */
const plainLines = (text: string): string =>
  text
    .split('\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
    .map((line) => harmless(line).replace(/\u001b\[[0-9;:]*m/g, ''))
    .join('\n')
