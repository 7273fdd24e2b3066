import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { ErrorState, Loading } from '../ui/state.tsx'
import { editorText } from './editor/text.ts'
import { visible } from './file-name.tsx'
import { imageType } from './kinds.ts'
import { nameOf } from './paths.ts'
import { filesKey, linkQuery } from './queries.ts'
import { ViewFrame } from './view-frame.tsx'

/** Larger pictures are for download, in bytes. */
const imageBytesMax = 32 * 1024 * 1024

/** A picture. Its bytes become an image and nothing else: a script in an SVG does not run in one. */
export function ImageView({ serverId, path }: { serverId: string; path: string }) {
  const t = useText(editorText)
  const format = useFormat()
  const queries = useQueryClient()
  const name = nameOf(path)
  const { data, error, refetch } = useQuery({
    queryKey: [...filesKey(serverId), 'image', path],
    async queryFn({ signal }) {
      const reply = await fetch(await queries.fetchQuery(linkQuery(serverId, path)), { signal })
      if (!reply.ok) throw new Error(t.imageBroken)
      if (Number(reply.headers.get('content-length')) > imageBytesMax) {
        await reply.body?.cancel()
        throw new Error(t.imageTooLarge(format.bytes(imageBytesMax)))
      }
      return new Blob([await reply.arrayBuffer()], { type: imageType(name) ?? 'image/png' })
    },
    retry: false,
    gcTime: 0,
  })
  return (
    <ViewFrame serverId={serverId} path={path}>
      {data ? (
        <Picture key={data.size} content={data} name={name} />
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

function Picture({ content, name }: { content: Blob; name: string }) {
  const t = useText(editorText)
  const format = useFormat()
  const [url, setUrl] = useState<string | null>(null)
  const [size, setSize] = useState<{ width: number; height: number } | 'broken' | null>(null)
  useEffect(() => {
    const made = URL.createObjectURL(content)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [content])
  if (size === 'broken') return <ErrorState title={t.notShown}>{t.imageBroken}</ErrorState>
  return (
    <figure className="grid justify-items-center gap-3 rounded-xl border border-line bg-sunken p-4">
      {url && (
        <img
          src={url}
          alt={t.image(visible(name))}
          className="max-h-[70dvh] max-w-full object-contain"
          onLoad={({ currentTarget: { naturalWidth: width, naturalHeight: height } }) => setSize({ width, height })}
          onError={() => setSize('broken')}
        />
      )}
      <figcaption className="text-muted text-xs tabular-nums">
        {size && t.imageFacts(size.width, size.height, format.bytes(content.size))}
      </figcaption>
    </figure>
  )
}
