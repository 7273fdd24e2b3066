import { FileUp } from 'lucide-react'
import { useRef, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { DropZone } from '../files/drop-zone.tsx'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { templatesQuery } from '../servers/queries.ts'
import { Badge, type Tone } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { Table } from '../ui/table.tsx'
import { TemplateFacts } from './template-details.tsx'
import { templatesText } from './text.ts'

type Report = Awaited<ReturnType<typeof api.importTemplate>>

/** The panel takes eggs of 2 MiB; a larger file is not even read. */
const eggBytesMax = 2 * 1024 * 1024

const noteTones: Record<Report['notes'][number]['kind'], Tone> = { changed: 'accent', kept: 'plain', dropped: 'warn' }

/** Takes an egg, shows what would become of it, and makes a template of it only then. */
export function ImportEgg({ onClose }: { onClose(): void }) {
  const t = useText(templatesText)
  const format = useFormat()
  const [egg, setEgg] = useState('')
  const [id, setId] = useState('')
  const [replace, setReplace] = useState(false)
  const [tooLarge, setTooLarge] = useState<string | null>(null)
  const [report, setReport] = useState<Report | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const body = { egg, replace, ...(id.trim() === '' ? {} : { id: id.trim() }) }
  const preview = useAction({
    run: () => api.importTemplate({ body: { ...body, preview: true } }),
    quiet: true,
    onDone: setReport,
  })
  const keep = useAction({
    run: () => api.importTemplate({ body }),
    done: ({ template }) => t.imported(template.name),
    changes: [templatesQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  /** What was shown is of another egg, or of another id. */
  const forget = (): void => {
    setReport(null)
    setTooLarge(null)
    preview.reset()
    keep.reset()
  }
  const take = async (file: File | null | undefined): Promise<void> => {
    if (!file) return
    forget()
    if (file.size > eggBytesMax) {
      setTooLarge(t.tooLarge(format.bytes(file.size), format.bytes(eggBytesMax)))
      return
    }
    setEgg(await file.text())
  }
  const error = preview.error ?? keep.error
  return (
    <Dialog open onOpenChange={onClose} title={t.importTitle} description={t.importHint} wide>
      <div className="grid gap-4">
        <DropZone label={t.drop} accepts onDrop={({ files }) => void take(files[0])}>
          <Field label={t.egg} hint={t.eggHint} error={tooLarge}>
            <TextArea
              rows={report ? 4 : 9}
              spellCheck={false}
              className="font-mono text-[13px]"
              value={egg}
              onChange={(event) => {
                forget()
                setEgg(event.target.value)
              }}
            />
          </Field>
        </DropZone>
        <div>
          <input
            ref={input}
            type="file"
            accept=".json,.yaml,.yml,application/json"
            className="hidden"
            onChange={(event) => {
              void take(event.target.files?.[0])
              event.target.value = ''
            }}
          />
          <Button icon={FileUp} onClick={() => input.current?.click()}>
            {t.chooseFile}
          </Button>
        </div>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t.newId} hint={t.newIdHint}>
            <Input
              maxLength={63}
              spellCheck={false}
              value={id}
              onChange={(event) => {
                forget()
                setId(event.target.value)
              }}
            />
          </Field>
          <Switch
            label={t.replace}
            hint={t.replaceHint}
            checked={replace}
            onChange={(on) => {
              forget()
              setReplace(on)
            }}
          />
        </div>
        {error && <Notice tone="bad">{errorText(error)}</Notice>}
        {report && <ImportReport report={report} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button
            kind={report ? 'plain' : 'primary'}
            busy={preview.isPending}
            disabled={egg.trim() === ''}
            onClick={() => preview.mutate()}
          >
            {t.preview}
          </Button>
          <Button
            kind={report ? 'primary' : 'plain'}
            busy={keep.isPending}
            unavailable={!report ? t.previewFirst : report.outcome === 'same' ? t.same : null}
            onClick={() => keep.mutate()}
          >
            {t.importIt}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

function ImportReport({ report: { template, outcome, notes } }: { report: Report }) {
  const t = useText(templatesText)
  return (
    <section aria-label={t.report} className="grid gap-3 rounded-lg border border-line p-4">
      <h3 className="flex flex-wrap items-center gap-2 font-semibold">
        <span className="wrap-anywhere">{template.name}</span>
        <Badge tone={outcome === 'same' ? 'plain' : 'good'}>{t.outcomes[outcome]}</Badge>
      </h3>
      <TemplateFacts template={template} />
      {notes.length === 0 ? (
        <p className="text-muted">{t.noNotes}</p>
      ) : (
        <div className="overflow-clip rounded-lg border border-line">
          <Table
            caption={t.report}
            rows={notes.map((note, position) => ({ ...note, position }))}
            rowKey={({ position }) => String(position)}
            columns={[
              {
                key: 'where',
                title: t.notePlace,
                className: 'wrap-anywhere md:min-w-44',
                cell: ({ where }) => <code className="text-[13px]">{where}</code>,
              },
              {
                key: 'kind',
                title: t.noteKind,
                cell: ({ kind }) => <Badge tone={noteTones[kind]}>{t.noteKinds[kind]}</Badge>,
              },
              {
                key: 'message',
                title: t.noteText,
                className: 'wrap-anywhere',
                cell: ({ message }) => message,
              },
            ]}
          />
        </div>
      )}
    </section>
  )
}
