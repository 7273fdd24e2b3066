import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import { Notice } from '../ui/state.tsx'
import { inspectionText, problemText } from './inspection-text.ts'
import { type CapturedMessage, type CapturedRequest, requestsQuery } from './queries.ts'

/** A captured request as somebody changes it, and sends it once more. Only what was changed is said: the rest stays as it was. */
export function EditReplay({
  tunnel,
  request,
  kept,
  onSent,
  onClose,
}: {
  tunnel: string
  request: CapturedRequest
  kept: CapturedMessage
  onSent(id: string): void
  onClose(): void
}) {
  const t = useText(inspectionText)
  const before = {
    method: request.method,
    target: request.target,
    headers: kept.headers.map(({ name, value }) => `${name}: ${value}`).join('\n'),
    body: kept.body.cut ? '' : (kept.body.text ?? ''),
  }
  const [method, setMethod] = useState(before.method)
  const [target, setTarget] = useState(before.target)
  const [headers, setHeaders] = useState(before.headers)
  const [body, setBody] = useState(before.body)
  const send = useAction({
    run() {
      const otherBody = body !== before.body || kept.body.cut
      // What is written here is not packed.
      const repacked = otherBody && kept.body.coding !== null
      const lines = linesOf(headers).filter(({ name }) => !repacked || name.toLowerCase() !== 'content-encoding')
      return api.replayTunnelRequest({
        params: { tunnel, request: request.id },
        body: {
          ...(method !== before.method && { method: method.trim() }),
          ...(target !== before.target && { target: target.trim() }),
          ...((headers !== before.headers || repacked) && { headers: lines }),
          ...(otherBody && { bodyBase64: base64Of(body) }),
        },
      })
    },
    done: ({ status, problem }) => t.replayed(status === null ? problemText(t, problem ?? '') : String(status)),
    changes: [requestsQuery(tunnel).queryKey],
    quiet: true,
    onDone: ({ id }) => onSent(id),
  })
  const plain = { autoComplete: 'off', autoCapitalize: 'none', spellCheck: false, dir: 'ltr' } as const
  return (
    <FormDialog
      open
      wide
      onOpenChange={onClose}
      title={t.editReplay}
      submit={t.replay}
      busy={send.isPending}
      onSubmit={() => send.mutate()}
    >
      <div className="grid gap-4 sm:grid-cols-[8rem_minmax(0,1fr)]">
        <Field label={t.method}>
          <Input {...plain} maxLength={32} value={method} onChange={(event) => setMethod(event.target.value)} />
        </Field>
        <Field label={t.target}>
          <Input
            {...plain}
            className="font-mono text-[13px]"
            value={target}
            onChange={(event) => setTarget(event.target.value)}
          />
        </Field>
      </div>
      <Field label={t.headers} hint={t.headersHint}>
        <TextArea
          {...plain}
          rows={8}
          className="font-mono text-[13px]"
          value={headers}
          onChange={(event) => setHeaders(event.target.value)}
        />
      </Field>
      <Field label={t.body} hint={kept.body.text === null && kept.body.bytes > 0 ? t.bodyBinary : t.bodyHint}>
        <TextArea
          {...plain}
          rows={8}
          className="font-mono text-[13px]"
          value={body}
          onChange={(event) => setBody(event.target.value)}
        />
      </Field>
      {send.error && <Notice tone="bad">{errorText(send.error)}</Notice>}
    </FormDialog>
  )
}

const linesOf = (text: string): { name: string; value: string }[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return colon === -1
        ? { name: line.trim(), value: '' }
        : { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() }
    })

function base64Of(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
