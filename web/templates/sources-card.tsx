import { FolderSync, List, Pencil, Plus, RefreshCw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { templatesQuery } from '../servers/queries.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Menu } from '../ui/menu.tsx'
import { EmptyState, Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { type Source, sourcesQuery } from './queries.ts'
import { SyncResult } from './sync-result.tsx'
import { templatesText } from './text.ts'

type Doing = { what: 'result' | 'change' | 'remove'; source: Source } | { what: 'add' }

/** Where templates come from by themselves. */
export function SourcesCard({ sources }: { sources: readonly Source[] }) {
  const t = useText(templatesText)
  const [doing, setDoing] = useState<Doing | null>(null)
  const close = (): void => setDoing(null)
  const sync = useAction({
    run: (source: Source) => api.syncTemplateSource({ params: { source: source.id } }),
    changes: [sourcesQuery.queryKey, templatesQuery.queryKey],
    onDone: (source) => setDoing({ what: 'result', source }),
  })
  const remove = useAction({
    run: (source: Source) => api.deleteTemplateSource({ params: { source: source.id } }),
    changes: [sourcesQuery.queryKey, templatesQuery.queryKey],
    onDone: close,
  })
  const add = (
    <Button icon={Plus} onClick={() => setDoing({ what: 'add' })}>
      {t.addSource}
    </Button>
  )
  return (
    <Card flush title={t.sources} description={t.sourcesHint} actions={sources.length > 0 && add}>
      {sources.length === 0 ? (
        <EmptyState icon={FolderSync} title={t.noSources} actions={add}>
          {t.noSourcesHint}
        </EmptyState>
      ) : (
        <Table
          caption={t.sources}
          rows={sources}
          rowKey={({ id }) => id}
          columns={[
            {
              key: 'name',
              title: t.name,
              className: 'wrap-anywhere',
              cell: ({ name, url, folder }) => (
                <span>
                  <span className="font-medium">{name}</span>
                  <span className="block text-muted text-xs">
                    {url}
                    {folder && ` · ${folder}`}
                  </span>
                </span>
              ),
            },
            {
              key: 'every',
              title: t.rhythm,
              cell: ({ everyHours }) => (everyHours === null ? t.manual : t.hours(everyHours)),
            },
            { key: 'last', title: t.last, cell: ({ lastSync }) => <LastSync last={lastSync} /> },
            {
              key: 'actions',
              title: t.actions,
              align: 'right',
              cell: (source) => (
                <span className="inline-flex items-center gap-1">
                  <Button
                    small
                    icon={RefreshCw}
                    aria-label={t.syncNow(source.name)}
                    busy={sync.isPending && sync.variables.id === source.id}
                    onClick={() => sync.mutate(source)}
                  >
                    {t.sync}
                  </Button>
                  <Menu
                    label={t.moreFor(source.name)}
                    entries={[
                      {
                        ...{ label: t.result, icon: List, disabled: source.lastSync === null },
                        onSelect: () => setDoing({ what: 'result', source }),
                      },
                      { label: t.change, icon: Pencil, onSelect: () => setDoing({ what: 'change', source }) },
                      'line',
                      {
                        ...{ label: t.remove, icon: Trash2, danger: true },
                        onSelect: () => setDoing({ what: 'remove', source }),
                      },
                    ]}
                  />
                </span>
              ),
            },
          ]}
        />
      )}
      {doing?.what === 'result' && <SyncResult source={doing.source} onClose={close} />}
      {doing?.what === 'add' && <SourceForm source={null} onClose={close} />}
      {doing?.what === 'change' && <SourceForm source={doing.source} onClose={close} />}
      {doing?.what === 'remove' && (
        <ConfirmDialog
          open
          onOpenChange={close}
          title={t.removeSourceTitle(doing.source.name)}
          description={t.removeSourceText}
          submit={t.remove}
          busy={remove.isPending}
          onSubmit={() => remove.mutate(doing.source)}
        />
      )}
    </Card>
  )
}

function LastSync({ last }: { last: Source['lastSync'] }) {
  const t = useText(templatesText)
  const format = useFormat()
  if (!last) return <span className="text-muted text-xs">{t.never}</span>
  const count = (outcome: string): string => format.number(last.files.filter((file) => file.outcome === outcome).length)
  return (
    <span className="text-muted text-xs">
      <RelativeTime at={last.at} />
      <span className="block">
        {last.error === null ? (
          t.counts(count('added'), count('updated'), count('failed'))
        ) : (
          <Badge tone="bad">{t.failed}</Badge>
        )}
      </span>
    </span>
  )
}

function SourceForm({ source, onClose }: { source: Source | null; onClose(): void }) {
  const t = useText(templatesText)
  const [name, setName] = useState(source?.name ?? '')
  const [url, setUrl] = useState(source?.url ?? '')
  const [folder, setFolder] = useState(source?.folder ?? '')
  const [every, setEvery] = useState(String(source?.everyHours ?? ''))
  const [allowPrivate, setAllowPrivate] = useState(source?.allowPrivate ?? false)
  const body = { name, url: url.trim(), folder, allowPrivate, everyHours: every.trim() === '' ? null : Number(every) }
  const save = useAction({
    run: () =>
      source ? api.updateTemplateSource({ params: { source: source.id }, body }) : api.createTemplateSource({ body }),
    done: (saved) => (source ? t.saved : t.sourceAdded(saved.name)),
    changes: [sourcesQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const fields = ['name', 'url', 'folder', 'everyHours'].some((field) => fieldError(error, field))
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={source ? t.changeTitle(source.name) : t.addSource}
      submit={source ? t.save : t.addSource}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.name} error={fieldError(error, 'name')}>
        <Input required maxLength={80} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t.url} hint={t.urlHint} error={fieldError(error, 'url')}>
        <Input
          type="url"
          maxLength={2048}
          placeholder="https://"
          value={url}
          onChange={(event) => setUrl(event.target.value)}
        />
      </Field>
      <Field label={t.folder} hint={t.folderHint} error={fieldError(error, 'folder')}>
        <Input maxLength={500} value={folder} onChange={(event) => setFolder(event.target.value)} />
      </Field>
      <Field label={t.every} hint={t.everyHint} error={fieldError(error, 'everyHours')}>
        <Input type="number" min={1} max={720} value={every} onChange={(event) => setEvery(event.target.value)} />
      </Field>
      <Switch label={t.allowPrivate} hint={t.allowPrivateHint} checked={allowPrivate} onChange={setAllowPrivate} />
      {error && !fields && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}
