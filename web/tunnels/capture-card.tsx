import { useQuery } from '@tanstack/react-query'
import { Trash2 } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useMay } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { inspectionText } from './inspection-text.ts'
import { type Capture, captureQuery, requestsQuery } from './queries.ts'

/** What is kept of the requests of a tunnel, and for how long. */
export function CaptureCard({ tunnel }: { tunnel: string }) {
  const t = useText(inspectionText)
  const query = useQuery(captureQuery(tunnel))
  return (
    <Card title={t.kept} description={t.keptHint} actions={<Erase tunnel={tunnel} />}>
      <Loaded query={query}>
        {(capture) => <CaptureForm key={JSON.stringify(capture)} tunnel={tunnel} capture={capture} />}
      </Loaded>
    </Card>
  )
}

function Erase({ tunnel }: { tunnel: string }) {
  const t = useText(inspectionText)
  const format = useFormat()
  const mayCapture = useMay('tunnels.capture')
  const [asking, setAsking] = useState(false)
  const erase = useAction({
    run: () => api.eraseTunnelRequests({ params: { tunnel } }),
    done: ({ erased }) => t.erased(format.number(erased)),
    changes: [requestsQuery(tunnel).queryKey],
    onDone: () => setAsking(false),
  })
  return (
    <>
      <Button small icon={Trash2} unavailable={mayCapture ? null : t.mayNot} onClick={() => setAsking(true)}>
        {t.erase}
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t.eraseTitle}
        description={t.eraseText}
        submit={t.erase}
        busy={erase.isPending}
        onSubmit={() => erase.mutate()}
      />
    </>
  )
}

const KiB = 1024

/** Memory for the requests, in bytes: so many whole bodies at least, as the panel wants it. */
const bodiesKept = 8
const memoryBytesMax = 16 * KiB * KiB

function CaptureForm({ tunnel, capture }: { tunnel: string; capture: Capture }) {
  const t = useText(inspectionText)
  const mayCapture = useMay('tunnels.capture')
  const [mode, setMode] = useState(capture.mode)
  const [minutes, setMinutes] = useState(String(capture.keptSeconds / 60))
  const [requests, setRequests] = useState(String(capture.requests))
  const [bodyKiB, setBodyKiB] = useState(String(capture.bodyBytes / KiB))
  const [headers, setHeaders] = useState(capture.redactHeaders.join(', '))
  const [parameters, setParameters] = useState(capture.redactParameters.join(', '))
  const save = useAction({
    run() {
      const bodyBytes = Math.round(Number(bodyKiB) * KiB)
      return api.setTunnelCapture({
        params: { tunnel },
        body: {
          mode,
          requests: Number(requests),
          bytes: Math.max(capture.bytes, Math.min(bodiesKept * bodyBytes, memoryBytesMax)),
          keptSeconds: Math.round(Number(minutes) * 60),
          bodyBytes,
          redactHeaders: namesOf(headers),
          redactParameters: namesOf(parameters),
        },
      })
    },
    done: t.saved,
    changes: [captureQuery(tunnel).queryKey, requestsQuery(tunnel).queryKey],
    quiet: true,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (!save.isPending && mayCapture) save.mutate()
  }
  const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false } as const
  return (
    <form onSubmit={submit} aria-label={t.kept} className="grid gap-4" noValidate>
      <div className="grid gap-4 sm:grid-cols-2 lg:grid-cols-5">
        <Field label={t.mode} className="sm:col-span-2">
          <Select
            value={mode}
            choices={(['off', 'metadata', 'full'] as const).map((value) => ({ value, label: t.modes[value] }))}
            onChange={(next) => setMode(next)}
          />
        </Field>
        <Field label={t.minutes}>
          <Input
            type="number"
            min={1}
            max={1440}
            value={minutes}
            onChange={(event) => setMinutes(event.target.value)}
          />
        </Field>
        <Field label={t.count}>
          <Input
            type="number"
            min={1}
            max={1000}
            value={requests}
            onChange={(event) => setRequests(event.target.value)}
          />
        </Field>
        {mode === 'full' && (
          <Field label={t.bodyKiB}>
            <Input
              type="number"
              min={0}
              max={1024}
              value={bodyKiB}
              onChange={(event) => setBodyKiB(event.target.value)}
            />
          </Field>
        )}
      </div>
      {mode !== 'off' && (
        <div className="grid gap-4 sm:grid-cols-2">
          {mode === 'full' && (
            <Field label={t.hideHeaders} hint={t.listHint}>
              <Input {...plain} value={headers} onChange={(event) => setHeaders(event.target.value)} />
            </Field>
          )}
          <Field label={t.hideParameters} hint={t.listHint}>
            <Input {...plain} value={parameters} onChange={(event) => setParameters(event.target.value)} />
          </Field>
        </div>
      )}
      {mode === 'full' && capture.mode !== 'full' && <Notice tone="warn">{t.fullNotice}</Notice>}
      {save.error && <Notice tone="bad">{errorText(save.error)}</Notice>}
      <div>
        <Button type="submit" kind="primary" busy={save.isPending} unavailable={mayCapture ? null : t.mayNot}>
          {t.save}
        </Button>
      </div>
    </form>
  )
}

const namesOf = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
