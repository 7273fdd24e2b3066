import { useSuspenseQuery } from '@tanstack/react-query'
import { Download, FileUp, Info, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { AdministratorsPage } from '../admin/administrators-page.tsx'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { templatesQuery } from '../servers/queries.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Input } from '../ui/field.tsx'
import { Menu } from '../ui/menu.tsx'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { ChangeTemplate } from './change-template.tsx'
import { ImportEgg } from './import-egg.tsx'
import { type Source, sourcesQuery, type Template } from './queries.ts'
import { SourcesCard } from './sources-card.tsx'
import { TemplateDetails } from './template-details.tsx'
import { templatesText } from './text.ts'

/** Rows that are drawn at once: sources may bring thousands, and nobody reads that many. */
const shownMax = 100

export function TemplatesPage() {
  const t = useText(templatesText)
  return (
    <AdministratorsPage title={t.title}>
      <Templates />
    </AdministratorsPage>
  )
}

type Doing = { what: 'details' | 'change' | 'remove'; template: Template }

function Templates() {
  const t = useText(templatesText)
  const format = useFormat()
  const { data: templates } = useSuspenseQuery(templatesQuery)
  const { data: sources } = useSuspenseQuery(sourcesQuery)
  const [search, setSearch] = useState('')
  const [importing, setImporting] = useState(false)
  const [doing, setDoing] = useState<Doing | null>(null)
  const close = (): void => setDoing(null)
  const take = useAction({
    run: async (template: Template) => {
      const { egg } = await api.exportTemplate({ params: { template: template.id } })
      save(`egg-${template.id}.json`, JSON.stringify(egg, null, 2))
    },
  })
  const words = search.trim().toLowerCase()
  const found = templates.filter(({ id, name, summary }) => `${id} ${name} ${summary}`.toLowerCase().includes(words))
  return (
    <Page
      title={t.title}
      tabTitle={t.title}
      description={t.hint}
      actions={
        <Button kind="primary" icon={FileUp} onClick={() => setImporting(true)}>
          {t.import}
        </Button>
      }
    >
      <div className="grid gap-5">
        <Card flush>
          <div className="border-line border-b px-5 py-3">
            <Input
              type="search"
              aria-label={t.search}
              placeholder={t.search}
              className="max-w-sm"
              value={search}
              onChange={(event) => setSearch(event.target.value)}
            />
          </div>
          {found.length === 0 ? (
            <p className="px-5 py-8 text-center text-muted">{t.noMatch(search)}</p>
          ) : (
            <Table
              caption={t.title}
              rows={found.slice(0, shownMax)}
              rowKey={({ id }) => id}
              columns={[
                {
                  key: 'name',
                  title: t.name,
                  className: 'wrap-anywhere',
                  cell: ({ name, id }) => (
                    <span>
                      <span className="font-medium">{name}</span>
                      <code className="block text-muted text-xs">{id}</code>
                    </span>
                  ),
                },
                {
                  key: 'category',
                  title: t.category,
                  cell: ({ category }) => (
                    <Badge tone={category === 'game' ? 'accent' : 'plain'}>{t.categories[category]}</Badge>
                  ),
                },
                {
                  key: 'images',
                  title: t.images,
                  wideOnly: true,
                  cell: ({ images }) => (
                    <span className="text-muted text-xs">
                      {images.length === 0 ? t.noImages : t.imageCount(format.number(images.length))}
                    </span>
                  ),
                },
                {
                  key: 'source',
                  title: t.source,
                  cell: (template) => <Origin template={template} sources={sources} />,
                },
                {
                  key: 'changed',
                  title: t.changed,
                  wideOnly: true,
                  cell: ({ changedAt }) =>
                    changedAt && (
                      <span className="text-muted text-xs">
                        <RelativeTime at={changedAt} />
                      </span>
                    ),
                },
                {
                  key: 'servers',
                  title: t.servers,
                  align: 'right',
                  cell: ({ servers }) => format.number(servers ?? 0),
                },
                {
                  key: 'actions',
                  title: t.actions,
                  align: 'right',
                  corner: true,
                  cell: (template) => {
                    const fixed = template.origin === 'shipped' ? { disabled: true, hint: t.fixed } : {}
                    const open = (what: Doing['what']) => () => setDoing({ what, template })
                    return (
                      <Menu
                        label={t.moreFor(template.name)}
                        entries={[
                          { label: t.details, icon: Info, onSelect: open('details') },
                          { label: t.export, icon: Download, onSelect: () => take.mutate(template) },
                          { label: t.change, icon: Pencil, onSelect: open('change'), ...fixed },
                          'line',
                          { label: t.remove, icon: Trash2, danger: true, onSelect: open('remove'), ...fixed },
                        ]}
                      />
                    )
                  },
                },
              ]}
            />
          )}
          {found.length > shownMax && (
            <p className="border-line border-t px-5 py-3 text-muted">
              {t.tooMany(format.number(shownMax), format.number(found.length))}
            </p>
          )}
        </Card>
        <SourcesCard sources={sources} />
      </div>
      {importing && <ImportEgg onClose={() => setImporting(false)} />}
      {doing?.what === 'details' && <TemplateDetails template={doing.template} onClose={close} />}
      {doing?.what === 'change' && <ChangeTemplate template={doing.template} onClose={close} />}
      {doing?.what === 'remove' && <RemoveTemplate template={doing.template} onClose={close} />}
    </Page>
  )
}

function Origin({ template, sources }: { template: Template; sources: readonly Source[] }) {
  const t = useText(templatesText)
  const source = sources.find(({ id }) => id === template.source)
  return (
    <span className="wrap-anywhere text-muted text-xs">
      {template.origin === 'shipped' ? t.shipped : (source?.name ?? t.byHand)}
    </span>
  )
}

function RemoveTemplate({ template, onClose }: { template: Template; onClose(): void }) {
  const t = useText(templatesText)
  const remove = useAction({
    run: () => api.deleteTemplate({ params: { template: template.id } }),
    done: t.removed(template.name),
    changes: [templatesQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={t.removeTitle(template.name)}
      description={t.removeText}
      submit={t.remove}
      busy={remove.isPending}
      onSubmit={() => remove.mutate()}
    >
      {remove.error && <Notice tone="bad">{errorText(remove.error)}</Notice>}
    </ConfirmDialog>
  )
}

/** Has the browser save a text as a file. */
function save(name: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
