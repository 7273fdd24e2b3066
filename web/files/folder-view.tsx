import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import {
  Archive,
  ArrowUpDown,
  Copy,
  Download,
  FilePlus2,
  FolderInput,
  FolderOpen,
  FolderPlus,
  FolderUp,
  Globe,
  KeyRound,
  Plus,
  RefreshCw,
  Search,
  Trash2,
  Upload,
  X,
} from 'lucide-react'
import { useDeferredValue, useMemo, useRef, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useLanguage, useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { Input } from '../ui/field.tsx'
import { Menu } from '../ui/menu.tsx'
import { EmptyState, ErrorState, Loading } from '../ui/state.tsx'
import { toast } from '../ui/toast.ts'
import { useFileAccess } from './access.ts'
import { Breadcrumb } from './breadcrumb.tsx'
import { ArchiveDialog } from './dialogs/archive-dialog.tsx'
import { DeleteDialog } from './dialogs/delete-dialog.tsx'
import { ModeDialog } from './dialogs/mode-dialog.tsx'
import { NewEntryDialog } from './dialogs/new-entry-dialog.tsx'
import { PullDialog } from './dialogs/pull-dialog.tsx'
import { RelocateDialog } from './dialogs/relocate-dialog.tsx'
import { RenameDialog } from './dialogs/rename-dialog.tsx'
import { UnpackDialog } from './dialogs/unpack-dialog.tsx'
import { DiskSpace } from './disk-space.tsx'
import { download } from './download.ts'
import { DropZone } from './drop-zone.tsx'
import { useRefresh } from './file-actions.ts'
import type { FileAct } from './file-menu.ts'
import { visible } from './file-name.tsx'
import { FileTable } from './file-table.tsx'
import { join, parentOf, root } from './paths.ts'
import { Pulls } from './pulls.tsx'
import { type Entry, folderQuery } from './queries.ts'
import { SearchResults } from './search-results.tsx'
import { useSelection } from './selection.ts'
import { type Sorting, sorted, sortedBy, sortKeys } from './sorting.ts'
import { filesText } from './text.ts'
import { chosenFiles, chosenFilesMax, droppedFiles, TooManyFiles } from './uploads/chosen.ts'
import { uploadsText } from './uploads/text.ts'
import type { Chosen } from './uploads/upload-queue.ts'
import { useUploads } from './uploads/uploads.tsx'

/** What is asked in front of the list. */
type Question =
  | { kind: 'new'; what: 'file' | 'folder' }
  | { kind: 'pull' }
  | { kind: 'rename' | 'unpack'; name: string }
  | { kind: 'move' | 'copy' | 'archive' | 'delete'; names: readonly string[] }
  | { kind: 'chmod'; entries: readonly Entry[] }

/** One folder and everything that can be done in it. Mounted anew for each. */
export function FolderView({ directory }: { directory: string }) {
  const t = useText(filesText)
  const format = useFormat()
  const { language } = useLanguage()
  const { serverId } = useServer()
  const access = useFileAccess()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const refresh = useRefresh()
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage, isFetching } = useInfiniteQuery(
    folderQuery(serverId, directory),
  )
  const [sorting, setSorting] = useState<Sorting>({ by: 'name', descending: false })
  const [wanted, setWanted] = useState('')
  const [searched, setSearched] = useState<string | null>(null)
  const [question, setQuestion] = useState<Question | null>(null)
  const filter = useDeferredValue(wanted.trim().toLowerCase())
  const entries = useMemo(() => data?.pages.flatMap(({ files }) => files) ?? [], [data])
  const total = data?.pages[0]?.total ?? 0
  const shown = useMemo(
    () =>
      sorted(
        entries.filter(({ name }) => name.toLowerCase().includes(filter)),
        sorting,
        language,
      ),
    [entries, filter, sorting, language],
  )
  const shownNames = useMemo(() => shown.map(({ name }) => name), [shown])
  const selection = useSelection(shownNames)
  const upload = useUploadInto(directory, entries)

  const go = (search: { path?: string; file?: string; as?: 'text' }): void =>
    void navigate({ to: '/servers/$serverId/files', params: { serverId }, search })
  const save = (name: string): void =>
    void download(queries, serverId, join(directory, name)).catch((reason: unknown) =>
      toast.error(visible(errorText(reason))),
    )
  /** On what a key or a menu means: all that is selected where this is part of it. */
  const meant = (name: string): readonly string[] => (selection.has(name) ? selection.names : [name])
  const act = (what: FileAct, entry: Entry): void => {
    const { name, isDirectory } = entry
    const refused = what === 'delete' ? access.noDelete : what === 'rename' ? access.noWrite : null
    if (refused) {
      toast.error(refused)
      return
    }
    if (what === 'open') go(isDirectory ? { path: join(directory, name) } : { path: directory, file: name })
    else if (what === 'openAsText') go({ path: directory, file: name, as: 'text' })
    else if (what === 'download') save(name)
    else if (what === 'rename' || what === 'unpack') setQuestion({ kind: what, name })
    else if (what === 'chmod') setQuestion({ kind: what, entries: [entry] })
    else setQuestion({ kind: what, names: what === 'delete' ? meant(name) : [name] })
  }
  const endSearch = (): void => {
    setSearched(null)
    setWanted('')
  }

  return (
    <DropZone
      label={t.dropHere(visible(directory))}
      accepts={access.noWrite === null}
      onDrop={(transfer) => upload.add(droppedFiles(transfer))}
    >
      <div className="grid gap-3">
        <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
          <Breadcrumb serverId={serverId} path={directory} />
          <DiskSpace serverId={serverId} />
        </div>
        <Pulls serverId={serverId} />
        <div className="flex flex-wrap items-center gap-2">
          <form
            className="relative w-full sm:max-w-xs"
            onSubmit={(event) => {
              event.preventDefault()
              if (wanted.trim() !== '') setSearched(wanted.trim())
            }}
          >
            <Search aria-hidden className="absolute top-2.5 left-3 size-4 text-muted" />
            <Input
              type="search"
              aria-label={t.filter}
              placeholder={t.filter}
              maxLength={255}
              value={wanted}
              onChange={(event) => {
                setWanted(event.target.value)
                setSearched(null)
              }}
              className="pl-9"
            />
          </form>
          {wanted.trim() !== '' && searched === null && (
            <Button onClick={() => setSearched(wanted.trim())}>{t.searchBelow}</Button>
          )}
          <div className="ml-auto flex flex-wrap items-center gap-2">
            <IconButton label={t.refresh} icon={RefreshCw} busy={isFetching} onClick={() => void refresh()} />
            <span className="md:hidden">
              <Menu
                trigger={<IconButton label={t.sort} icon={ArrowUpDown} />}
                entries={sortKeys.map((key) => ({
                  label: t.sortBy(t[key]),
                  onSelect: () => setSorting(sortedBy(sorting, key)),
                }))}
              />
            </span>
            {access.noWrite ? (
              <>
                <Button icon={Plus} unavailable={access.noWrite}>
                  {t.newEntry}
                </Button>
                <Button icon={Upload} unavailable={access.noWrite}>
                  {t.upload}
                </Button>
              </>
            ) : (
              <>
                <Menu
                  trigger={<Button icon={Plus}>{t.newEntry}</Button>}
                  entries={[
                    { label: t.newFile, icon: FilePlus2, onSelect: () => setQuestion({ kind: 'new', what: 'file' }) },
                    {
                      label: t.newFolder,
                      icon: FolderPlus,
                      onSelect: () => setQuestion({ kind: 'new', what: 'folder' }),
                    },
                  ]}
                />
                <Menu
                  trigger={
                    <Button icon={Upload} kind="primary">
                      {t.upload}
                    </Button>
                  }
                  entries={[
                    { label: t.uploadFiles, icon: Upload, onSelect: upload.chooseFiles },
                    { label: t.uploadFolder, icon: FolderUp, onSelect: upload.chooseFolder },
                    'line',
                    { label: t.pull, icon: Globe, onSelect: () => setQuestion({ kind: 'pull' }) },
                  ]}
                />
              </>
            )}
          </div>
        </div>
        {upload.inputs}
        {selection.names.length > 0 && searched === null && (
          <section
            aria-label={t.selected(selection.names.length)}
            className="sticky top-14 z-10 flex flex-wrap items-center gap-2 rounded-xl border border-line bg-raised px-3 py-2 shadow-sm lg:top-2"
          >
            <span role="status" className="px-1 font-medium">
              {t.selected(selection.names.length)}
            </span>
            <span className="ml-auto flex flex-wrap gap-2">
              <Button
                small
                icon={Download}
                unavailable={selection.names.length > 1 ? t.downloadOne : null}
                onClick={() => selection.names.forEach(save)}
              >
                {t.download}
              </Button>
              <Button
                small
                icon={FolderInput}
                unavailable={access.noWrite}
                onClick={() => setQuestion({ kind: 'move', names: selection.names })}
              >
                {t.move}
              </Button>
              <Button
                small
                icon={Copy}
                unavailable={access.noWrite}
                onClick={() => setQuestion({ kind: 'copy', names: selection.names })}
              >
                {t.copy}
              </Button>
              <Button
                small
                icon={KeyRound}
                unavailable={access.noWrite}
                onClick={() => setQuestion({ kind: 'chmod', entries: shown.filter(({ name }) => selection.has(name)) })}
              >
                {t.mode}
              </Button>
              <Button
                small
                icon={Archive}
                unavailable={access.noArchive}
                onClick={() => setQuestion({ kind: 'archive', names: selection.names })}
              >
                {t.archive}
              </Button>
              <Button
                small
                kind="danger"
                icon={Trash2}
                unavailable={access.noDelete}
                onClick={() => setQuestion({ kind: 'delete', names: selection.names })}
              >
                {t.delete}
              </Button>
              <IconButton small label={t.clear} icon={X} onClick={selection.clear} />
            </span>
          </section>
        )}
        {searched !== null ? (
          <SearchResults serverId={serverId} directory={directory} text={searched} onEnd={endSearch} />
        ) : (
          <section className="overflow-clip rounded-xl border border-line bg-surface" aria-label={t.title}>
            {!data ? (
              error ? (
                <ErrorState title={visible(errorText(error))} onRetry={() => void refetch()}>
                  {directory !== root && <Button onClick={() => go({ path: parentOf(directory) })}>{t.up}</Button>}
                </ErrorState>
              ) : (
                <Loading />
              )
            ) : entries.length === 0 ? (
              <EmptyState icon={FolderOpen} title={t.empty}>
                {access.noWrite ?? t.emptyHint}
              </EmptyState>
            ) : (
              <>
                <FileTable
                  serverId={serverId}
                  directory={directory}
                  entries={shown}
                  selection={selection}
                  sorting={sorting}
                  onSort={setSorting}
                  access={access}
                  onAct={act}
                  onUp={directory === root ? null : () => go({ path: parentOf(directory) })}
                />
                {shown.length === 0 && <p className="px-5 py-4 text-muted">{t.noMatch(visible(wanted))}</p>}
                <footer className="flex flex-wrap items-center justify-between gap-2 border-line border-t px-5 py-2 text-muted text-xs">
                  <span role="status">{t.count(format.number(shown.length), format.number(total))}</span>
                  {hasNextPage && (
                    <Button small busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
                      {t.loadMore(format.number(total - entries.length))}
                    </Button>
                  )}
                  <span className="max-md:hidden">{t.keys}</span>
                </footer>
              </>
            )}
          </section>
        )}
      </div>
      {question && (
        <Asked
          question={question}
          serverId={serverId}
          directory={directory}
          onClose={() => setQuestion(null)}
          onMade={(what, name) => what === 'file' && go({ path: directory, file: name })}
        />
      )}
    </DropZone>
  )
}

function Asked({
  question,
  onMade,
  ...rest
}: {
  question: Question
  serverId: string
  directory: string
  onClose(): void
  onMade(what: 'file' | 'folder', name: string): void
}) {
  switch (question.kind) {
    case 'new':
      return <NewEntryDialog {...rest} kind={question.what} onMade={(name) => onMade(question.what, name)} />
    case 'pull':
      return <PullDialog {...rest} />
    case 'rename':
      return <RenameDialog {...rest} name={question.name} />
    case 'unpack':
      return <UnpackDialog {...rest} name={question.name} />
    case 'move':
    case 'copy':
      return <RelocateDialog {...rest} how={question.kind} names={question.names} />
    case 'archive':
      return <ArchiveDialog {...rest} names={question.names} />
    case 'chmod':
      return <ModeDialog {...rest} entries={question.entries} />
    case 'delete':
      return <DeleteDialog {...rest} names={question.names} />
  }
}

/** Uploads into one folder: what was chosen in the browser's dialogs, or dropped. */
function useUploadInto(directory: string, entries: readonly Entry[]) {
  const t = useText(uploadsText)
  const format = useFormat()
  const { serverId } = useServer()
  const queue = useUploads()
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const add = (chosen: Chosen[] | Promise<Chosen[]>): void =>
    void Promise.resolve(chosen)
      .then((all) => queue.add(serverId, directory, all, new Set(entries.map(({ name }) => name))))
      .catch(refused)
  const refused = (reason: unknown): void =>
    void toast.error(
      reason instanceof TooManyFiles ? t.tooMany(format.number(chosenFilesMax)) : visible(errorText(reason)),
    )
  const take = (input: HTMLInputElement): void => {
    try {
      if (input.files) add(chosenFiles(input.files))
    } catch (reason) {
      refused(reason)
    }
    // The same file may be chosen again.
    input.value = ''
  }
  return {
    add,
    chooseFiles: () => files.current?.click(),
    chooseFolder: () => folder.current?.click(),
    inputs: (
      <>
        <input ref={files} type="file" multiple hidden onChange={({ target }) => take(target)} />
        <input ref={folder} type="file" hidden {...{ webkitdirectory: '' }} onChange={({ target }) => take(target)} />
      </>
    ),
  }
}
