import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useBlocker } from '@tanstack/react-router'
import { Save, TextSearch, WrapText } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { ApiError } from '../../../src/client/index.ts'
import { contentsBytesMax } from '../../../src/contract/text-files.ts'
import { api } from '../../api/api.ts'
import { errorText } from '../../api/error-text.ts'
import { useFormat } from '../../i18n/format.ts'
import { useText } from '../../i18n/language.tsx'
import { Badge } from '../../ui/badge.tsx'
import { Button, IconButton } from '../../ui/button.tsx'
import { classNames } from '../../ui/class-names.ts'
import { ConfirmDialog, Dialog } from '../../ui/dialog.tsx'
import { Notice } from '../../ui/state.tsx'
import { toast } from '../../ui/toast.ts'
import { useFileAccess } from '../access.ts'
import { useFileAction } from '../file-actions.ts'
import { visible } from '../file-name.tsx'
import { nameOf } from '../paths.ts'
import { type Contents, contentsQuery } from '../queries.ts'
import { ViewFrame } from '../view-frame.tsx'
import { type CodeEditor, createCodeEditor } from './code-editor.ts'
import { languageOf } from './languages.ts'
import { editorText } from './text.ts'

/** A file up to this size is looked at for changes of others while it is open, in bytes. */
const watchedBytesMax = 256 * 1024
const watchMs = 10_000

/** One text file to change and save, never over what somebody else has saved meanwhile. */
export function EditorView({ serverId, path, opened }: { serverId: string; path: string; opened: Contents }) {
  const t = useText(editorText)
  const format = useFormat()
  const queries = useQueryClient()
  const { noWrite } = useFileAccess()
  const name = nameOf(path)
  const place = useRef<HTMLDivElement>(null)
  const editor = useRef<CodeEditor>(null)
  const [dirty, setDirty] = useState(false)
  const [wrap, setWrap] = useState(false)
  const [seeing, setSeeing] = useState(false)
  /** The content on the server that this one is a change of. */
  const [base, setBase] = useState(opened.hash)
  const query = contentsQuery(serverId, path)
  const { data: theirs, error } = useQuery({
    ...query,
    refetchInterval: opened.size <= watchedBytesMax ? watchMs : false,
  })
  const gone = error instanceof ApiError && error.code === 'not_found'
  const conflict = theirs !== undefined && theirs.hash !== base && dirty && !gone

  const save = useFileAction({
    async run(content: string) {
      const { hash } = await api.writeFile({
        params: { serverId },
        body: { file: path, content, ...(gone ? {} : { ifMatch: base }) },
      })
      return hash
    },
    quiet: true,
    onDone(hash, content) {
      // A reading that began before this would bring the old content back.
      void queries.cancelQueries({ queryKey: query.queryKey }).then(() =>
        queries.setQueryData(query.queryKey, {
          ...opened,
          content,
          hash,
          size: new Blob([content]).size,
          modified: new Date().toISOString(),
        }),
      )
      setBase(hash)
      editor.current?.saved(content)
    },
  })
  const tooLarge = save.error instanceof ApiError && save.error.code === 'too_large'
  const trySave = (): void => {
    const content = editor.current?.content() ?? ''
    if (noWrite !== null || save.isPending) return
    if (new Blob([content]).size > contentsBytesMax) return void toast.error(t.tooLarge(format.bytes(contentsBytesMax)))
    save.mutate(content, {
      onSuccess: () => toast.success(t.saved),
      async onError(refusal) {
        // Refused because it has changed, or because of something else: reading it again tells.
        if (refusal instanceof ApiError && refusal.code === 'conflict') {
          const { data, error: unread } = await queries
            .fetchQuery({ ...query, staleTime: 0 })
            .then((found) => ({ data: found, error: null }))
            .catch((reason: unknown) => ({ data: null, error: reason }))
          if (data ? data.hash !== base : unread instanceof ApiError && unread.code === 'not_found') return
        }
        toast.error(visible(errorText(refusal)))
      },
    })
  }
  const latestSave = useRef(trySave)
  latestSave.current = trySave
  const first = useRef({ content: opened.content, label: t.content(visible(name)), phrases: t.search, wrap })

  useEffect(() => {
    if (!place.current) return
    const made = createCodeEditor(place.current, {
      ...first.current,
      name,
      readOnly: noWrite !== null,
      onDirty: setDirty,
      onSave: () => latestSave.current(),
    })
    editor.current = made
    made.focus()
    return () => {
      editor.current = null
      made[Symbol.dispose]()
    }
  }, [name, noWrite])

  const readAgain = useRef(t.readAgain)
  readAgain.current = t.readAgain
  useEffect(() => {
    if (!theirs || theirs.hash === base || dirty || save.isPending) return
    editor.current?.replace(theirs.content)
    setBase(theirs.hash)
    toast.info(readAgain.current)
  }, [theirs, base, dirty, save.isPending])

  const guard = useBlocker({
    shouldBlockFn: () => dirty,
    enableBeforeUnload: () => dirty,
    withResolver: true,
  })
  const language = languageOf(name)?.name ?? t.plainText

  return (
    <ViewFrame
      serverId={serverId}
      path={path}
      state={
        <>
          <span className="text-muted text-xs">{language}</span>
          {noWrite ? <Badge>{t.readOnly}</Badge> : dirty && <Badge tone="warn">{t.unsaved}</Badge>}
        </>
      }
      actions={
        <>
          <IconButton label={t.find} icon={TextSearch} onClick={() => editor.current?.find()} />
          <IconButton
            label={t.wrap}
            icon={WrapText}
            aria-pressed={wrap}
            className={classNames(wrap && 'bg-accent-soft text-accent-text')}
            onClick={() => {
              editor.current?.wrap(!wrap)
              setWrap(!wrap)
            }}
          />
          <Button
            kind="primary"
            icon={Save}
            busy={save.isPending}
            unavailable={noWrite ?? (dirty || gone ? null : t.nothingToSave)}
            onClick={trySave}
          >
            {t.save}
          </Button>
        </>
      }
    >
      {conflict && (
        <Notice
          tone="warn"
          actions={
            <span className="flex flex-wrap gap-2">
              <Button small onClick={() => setSeeing(true)}>
                {t.seeTheirs}
              </Button>
              <Button
                small
                onClick={() => {
                  editor.current?.replace(theirs.content)
                  setBase(theirs.hash)
                }}
              >
                {t.takeTheirs}
              </Button>
              <Button small onClick={() => setBase(theirs.hash)}>
                {t.keepMine}
              </Button>
            </span>
          }
        >
          {t.changedMeanwhile}
        </Notice>
      )}
      {gone && <Notice tone="warn">{t.gone}</Notice>}
      {tooLarge && <Notice tone="bad">{t.tooLarge(format.bytes(contentsBytesMax))}</Notice>}
      <div
        ref={place}
        className="h-[calc(100dvh-22rem)] min-h-80 overflow-hidden rounded-xl border border-line bg-surface focus-within:outline-2 focus-within:outline-accent"
      />
      <p className="text-muted text-xs">{t.leaveKey}</p>
      <Dialog open={seeing && conflict} onOpenChange={setSeeing} title={t.theirs} wide>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <pre tabIndex={0} className="max-h-[60dvh] overflow-auto rounded-lg bg-sunken p-3 font-mono text-[13px]">
          {theirs?.content}
        </pre>
      </Dialog>
      <ConfirmDialog
        open={guard.status === 'blocked'}
        onOpenChange={() => guard.reset?.()}
        title={t.leaveTitle}
        description={t.leaveText(visible(name))}
        submit={t.leave}
        onSubmit={() => guard.proceed?.()}
      />
    </ViewFrame>
  )
}
