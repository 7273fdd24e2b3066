import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import type { Source } from './queries.ts'
import { templatesText } from './text.ts'

type File = NonNullable<Source['lastSync']>['files'][number]

const tones: Record<File['outcome'], Tone> = {
  added: 'good',
  updated: 'accent',
  same: 'plain',
  gone: 'warn',
  failed: 'bad',
}

/** What the last synchronisation of a source brought; files that stayed the same are only counted. */
export function SyncResult({ source, onClose }: { source: Source; onClose(): void }) {
  const t = useText(templatesText)
  const format = useFormat()
  const { lastSync: last } = source
  if (!last) return null
  const news = last.files.filter(({ outcome }) => outcome !== 'same')
  return (
    <Dialog open onOpenChange={onClose} title={t.syncedTitle(source.name)} description={format.time(last.at)} wide>
      {last.error !== null ? (
        <Notice tone="bad">{last.error}</Notice>
      ) : last.files.length === 0 ? (
        <Notice tone="warn">{t.nothingFound}</Notice>
      ) : news.length === 0 ? (
        <p className="text-muted">{t.allSame(format.number(last.files.length))}</p>
      ) : (
        <div className="overflow-clip rounded-lg border border-line">
          <Table
            caption={t.result}
            rows={news}
            rowKey={({ path }) => path}
            columns={[
              {
                key: 'file',
                title: t.file,
                className: 'wrap-anywhere',
                cell: ({ path, template }) => (
                  <span>
                    <code className="text-[13px]">{path}</code>
                    {template && <span className="block text-muted text-xs">{template}</span>}
                  </span>
                ),
              },
              {
                key: 'outcome',
                title: t.outcome,
                cell: ({ outcome }) => <Badge tone={tones[outcome]}>{t.fileOutcomes[outcome]}</Badge>,
              },
              { key: 'message', title: t.noteText, className: 'wrap-anywhere', cell: ({ message }) => message },
            ]}
          />
        </div>
      )}
    </Dialog>
  )
}
