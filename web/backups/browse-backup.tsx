import { useQuery } from '@tanstack/react-query'
import { ChevronRight, File, Folder, HardDrive, Link2 } from 'lucide-react'
import { Fragment, useState } from 'react'
import { errorText } from '../api/error-text.ts'
import { FileName } from '../files/file-name.tsx'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Progress } from '../ui/progress.tsx'
import { ErrorState, Loading, Notice } from '../ui/state.tsx'
import { Checkbox } from '../ui/switch.tsx'
import { Table } from '../ui/table.tsx'
import { type Backup, type BackupEntry, backupFilesQuery } from './queries.ts'
import { backupsText } from './text.ts'

const icons = { file: File, folder: Folder, link: Link2 } as const satisfies Record<BackupEntry['kind'], unknown>

/** What is in a backup, folder by folder; what is chosen of it can be put back alone. */
export function BrowseBackup({
  backup,
  onClose,
  onRestore,
}: {
  backup: Backup
  onClose(): void
  onRestore(files: string[]): void
}) {
  const t = useText(backupsText)
  const format = useFormat()
  const { serverId, may } = useServer()
  const [path, setPath] = useState('')
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const { data, error, refetch } = useQuery(backupFilesQuery(serverId, backup.id, path))
  const choose = (file: string, on: boolean): void => {
    const next = new Set(chosen)
    if (on) next.add(file)
    else next.delete(file)
    setChosen(next)
  }
  return (
    <Dialog open onOpenChange={onClose} title={t.browseTitle(backup.name)} wide>
      <Where path={path} onGo={setPath} />
      <div className="-mx-5 my-3 max-h-[50dvh] overflow-y-auto border-line border-y">
        {error && !data && (
          <ErrorState title={t.notListed} onRetry={() => void refetch()}>
            {errorText(error)}
          </ErrorState>
        )}
        {!error && !data && <Loading />}
        {data?.reading && (
          <div role="status" className="grid gap-2 px-5 py-8">
            <p className="font-medium">{t.readingArchive}</p>
            <Progress
              value={data.reading.bytesDone}
              max={data.reading.bytesTotal}
              label={t.readingArchive}
              text={t.readingOf(format.bytes(data.reading.bytesDone), format.bytes(data.reading.bytesTotal))}
            />
            <p className="text-[13px] text-muted">
              {t.readingOf(format.bytes(data.reading.bytesDone), format.bytes(data.reading.bytesTotal))}.{' '}
              {t.readingHint}
            </p>
          </div>
        )}
        {data && !data.reading && data.entries.length === 0 && (
          <p className="px-5 py-8 text-center text-muted">{t.emptyFolder}</p>
        )}
        {data && data.entries.length > 0 && (
          <Table
            caption={t.browseTitle(backup.name)}
            rows={data.entries}
            rowKey={({ name }) => name}
            columns={[
              {
                key: 'name',
                title: t.name,
                cell: ({ name, kind }) => {
                  const Icon = icons[kind]
                  const file = inside(path, name)
                  return (
                    <span className="flex min-w-0 items-center gap-2.5">
                      <Checkbox
                        hideLabel
                        label={t.choose(name)}
                        checked={chosen.has(file)}
                        onChange={(on) => choose(file, on)}
                      />
                      <Icon aria-hidden className="size-4 shrink-0 text-muted" />
                      {kind === 'folder' ? (
                        <button
                          type="button"
                          className="wrap-anywhere min-w-0 text-left font-medium hover:underline"
                          onClick={() => setPath(file)}
                        >
                          <FileName name={name} />
                        </button>
                      ) : (
                        <span className="wrap-anywhere min-w-0">
                          <FileName name={name} />
                        </span>
                      )}
                    </span>
                  )
                },
              },
              {
                key: 'size',
                title: t.size,
                align: 'right',
                className: 'whitespace-nowrap tabular-nums',
                cell: ({ kind, size }) => (kind === 'file' ? format.bytes(size) : null),
              },
              {
                key: 'modified',
                title: t.modified,
                className: 'whitespace-nowrap',
                wideOnly: true,
                cell: ({ modifiedAt }) => format.time(modifiedAt),
              },
            ]}
          />
        )}
      </div>
      {data?.more && <Notice tone="info">{t.moreEntries(format.number(data.entries.length))}</Notice>}
      <div className="mt-3 flex flex-wrap items-center justify-end gap-2">
        <span role="status" className="mr-auto text-muted">
          {t.chosen(chosen.size)}
        </span>
        <Button onClick={onClose}>{t.close}</Button>
        <Button
          kind="primary"
          unavailable={may('backups.restore') ? (chosen.size === 0 ? t.chooseFirst : null) : t.mayNot}
          onClick={() => onRestore([...chosen])}
        >
          {t.restoreChosen}
        </Button>
      </div>
    </Dialog>
  )
}

/** The folder that is shown, and the way back up. */
function Where({ path, onGo }: { path: string; onGo(path: string): void }) {
  const t = useText(backupsText)
  const parts = path === '' ? [] : path.split('/')
  return (
    <nav aria-label={t.where}>
      <ol className="flex min-w-0 flex-wrap items-center gap-x-0.5">
        <li>
          <button
            type="button"
            aria-current={parts.length === 0 ? 'page' : undefined}
            className="inline-flex h-8 items-center gap-1.5 rounded-md px-1.5 font-medium hover:bg-sunken"
            onClick={() => onGo('')}
          >
            <HardDrive aria-hidden className="size-4 text-muted" />
            {t.allFiles}
          </button>
        </li>
        {parts.map((part, position) => {
          const here = parts.slice(0, position + 1).join('/')
          return (
            <Fragment key={here}>
              <li aria-hidden>
                <ChevronRight className="size-4 text-muted" />
              </li>
              <li className="min-w-0">
                <button
                  type="button"
                  aria-current={here === path ? 'page' : undefined}
                  className="wrap-anywhere inline-flex min-h-8 items-center rounded-md px-1.5 text-left hover:bg-sunken"
                  onClick={() => onGo(here)}
                >
                  <FileName name={part} />
                </button>
              </li>
            </Fragment>
          )
        })}
      </ol>
    </nav>
  )
}

const inside = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`)
