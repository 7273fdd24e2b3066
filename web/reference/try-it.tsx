import { useState } from 'react'
import { send } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { curlOf } from '../curl/curl.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { CodeBlock } from '../ui/code-block.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Field, Input, TextArea } from '../ui/field.tsx'
import type { ApiOperation, Reference } from './document.ts'
import { exampleOf } from './example.ts'
import { referenceText } from './text.ts'

const json = 'application/json'
/** Headers of a reply that tell something; the rest is the same for every one. */
const shownHeaders = [
  'content-type',
  'x-request-id',
  'x-next-cursor',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'retry-after',
]
/** Characters of a reply that are shown: more than anybody reads, and drawn at once. */
const shownCharactersMax = 100_000

/** Sends the operation, for real and as the person who is signed in, and shows the answer; and the command that does the same. */
export function TryIt({ operation, resolve }: { operation: ApiOperation; resolve: Reference['resolve'] }) {
  const t = useText(referenceText)
  const format = useFormat()
  const { method, parameters } = operation
  const bodySchema = operation.body?.content[json]?.schema
  const [values, setValues] = useState<Record<string, string>>({})
  const [body, setBody] = useState(() =>
    bodySchema ? JSON.stringify(operation.body?.content[json]?.example ?? exampleOf(bodySchema, resolve), null, 2) : '',
  )
  const [asking, setAsking] = useState(false)
  const path = pathWith(operation, values)
  const parsed = bodySchema && body.trim() !== '' ? parse(body) : undefined
  const attempt = useAction({
    async run() {
      const began = performance.now()
      const reply = await send({
        method,
        path,
        headers: { accept: json, ...(parsed ? { 'content-type': json } : {}) },
        ...(parsed ? { body: JSON.stringify(parsed.value) } : {}),
      })
      return { ...reply, tookMs: performance.now() - began }
    },
    onDone: () => setAsking(false),
  })
  const missing = parameters.filter(({ name, required }) => required && !values[name]?.trim())
  const blocked = missing[0] ? t.missing(missing[0].name) : parsed && 'problem' in parsed ? t.notJson : null
  if (!canBeTried(operation)) return <p className="text-muted">{t.notHere}</p>
  return (
    <form
      className="grid min-w-0 gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (blocked || attempt.isPending) return
        if (method === 'GET') attempt.mutate()
        else setAsking(true)
      }}
    >
      {parameters.length > 0 && (
        <div className="grid gap-4 sm:grid-cols-2">
          {parameters.map(({ name, required, schema, example }) => (
            <Field key={name} label={<code className="font-mono text-[13px]">{name}</code>}>
              <Input
                required={required ?? false}
                spellCheck={false}
                autoCapitalize="none"
                placeholder={placeholderOf(example ?? schema.example ?? schema.default)}
                value={values[name] ?? ''}
                onChange={(event) => setValues({ ...values, [name]: event.target.value })}
              />
            </Field>
          ))}
        </div>
      )}
      {bodySchema && (
        <Field label={t.body} error={parsed && 'problem' in parsed ? parsed.problem : undefined}>
          <TextArea
            rows={Math.min(Math.max(body.split('\n').length, 3), 16)}
            spellCheck={false}
            className="font-mono text-[13px]"
            value={body}
            onChange={(event) => setBody(event.target.value)}
          />
        </Field>
      )}
      <CommandBlock
        text={curlOf(
          { method, path, body: parsed && 'value' in parsed ? parsed.value : undefined },
          window.location.origin,
        )}
      />
      <div>
        <Button type="submit" kind="primary" busy={attempt.isPending} unavailable={blocked}>
          {t.send}
        </Button>
      </div>
      {attempt.data && (
        <section aria-label={t.answer} className="grid gap-2" aria-live="polite">
          <div className="flex flex-wrap items-center gap-2">
            <Badge tone={attempt.data.status < 400 ? 'good' : 'bad'}>{attempt.data.status}</Badge>
            <span className="text-muted">{t.took(format.number(attempt.data.tookMs))}</span>
          </div>
          <dl className="grid gap-x-4 text-[13px] sm:grid-cols-[auto_1fr]">
            {shownHeaders.map((name) => {
              const value = attempt.data.headers.get(name)
              return (
                value !== null && (
                  <div key={name} className="contents">
                    <dt className="text-muted">{name}</dt>
                    <dd className="wrap-anywhere font-mono">{value}</dd>
                  </div>
                )
              )
            })}
          </dl>
          <CodeBlock text={pretty(attempt.data.text).slice(0, shownCharactersMax)} />
        </section>
      )}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t.reallyTitle}
        description={t.really(`${method} ${path}`)}
        submit={t.send}
        busy={attempt.isPending}
        onSubmit={() => attempt.mutate()}
      />
    </form>
  )
}

/** Files and live connections are not for a form. */
function canBeTried({ body, replies }: ApiOperation): boolean {
  const reply = replies.find(({ status }) => status === '200')
  return (
    !replies.some(({ status }) => status === '101') &&
    (!body || json in body.content) &&
    (!reply?.content || json in reply.content)
  )
}

function pathWith({ path, parameters }: ApiOperation, values: Record<string, string>): string {
  let filled = path
  const query = new URLSearchParams()
  for (const { name, in: where } of parameters) {
    const value = values[name]?.trim() ?? ''
    if (value === '') continue
    if (where === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value))
    else query.set(name, value)
  }
  return query.size === 0 ? filled : `${filled}?${query}`
}

function parse(text: string): { value: unknown } | { value?: undefined; problem: string } {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

const placeholderOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value)

function pretty(text: string): string {
  const parsed = parse(text)
  return 'problem' in parsed ? text : JSON.stringify(parsed.value, null, 2)
}
