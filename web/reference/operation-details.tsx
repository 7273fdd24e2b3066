import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { CodeBlock } from '../ui/code-block.tsx'
import type { ApiOperation, Reference } from './document.ts'
import { Facts, SchemaView } from './schema-view.tsx'
import { referenceText } from './text.ts'
import { TryIt } from './try-it.tsx'

/** All that there is to know of an operation, and a form that sends it. */
export function OperationDetails({ operation, resolve }: { operation: ApiOperation; resolve: Reference['resolve'] }) {
  const t = useText(referenceText)
  const { description, credentials, parameters, body, replies } = operation
  return (
    <div className="grid gap-6 border-line border-t px-5 py-5 xl:grid-cols-2">
      <div className="grid min-w-0 content-start gap-5">
        <div className="grid gap-1">
          {description && <p className="wrap-anywhere">{withCode(description)}</p>}
          <p className="text-muted">
            {credentials.length === 0
              ? t.open
              : t.credentials(
                  credentials.map((each) => t.credential[each as keyof typeof t.credential] ?? each).join(', '),
                )}
          </p>
        </div>
        {parameters.length > 0 && (
          <Part title={t.parameters}>
            <ul className="grid gap-2.5">
              {parameters.map(({ name, in: where, required, schema, description: meaning }) => (
                <li key={name} className="flex flex-wrap items-center gap-x-2 gap-y-1 border-line border-l-2 pl-3">
                  <code className="font-mono text-[13px]">{name}</code>
                  <span className="text-muted text-xs">{required ? t.placeRequired[where] : t.place[where]}</span>
                  <Facts schema={meaning ? { ...schema, description: meaning } : schema} resolve={resolve} />
                </li>
              ))}
            </ul>
          </Part>
        )}
        {body && (
          <Part title={t.body}>
            {Object.entries(body.content).map(([type, { schema }]) => (
              <div key={type} className="grid gap-2">
                <code className="font-mono text-muted text-xs">{type}</code>
                {schema && <SchemaView schema={schema} resolve={resolve} />}
              </div>
            ))}
          </Part>
        )}
        <Part title={t.replies}>
          {replies.map(({ status, description: meaning, content = {} }) => (
            <details key={status} className="rounded-lg border border-line" open={status === '200'}>
              <summary className="cursor-pointer px-3 py-2">
                <code className="font-mono text-[13px]">{status}</code> <span className="text-muted">{meaning}</span>
              </summary>
              <div className="grid gap-2 border-line border-t px-3 py-3">
                {Object.entries(content).map(([type, { schema, example }]) => (
                  <div key={type} className="grid gap-2">
                    <code className="font-mono text-muted text-xs">{type}</code>
                    {schema && <SchemaView schema={schema} resolve={resolve} />}
                    {example !== undefined && <Json value={example} label={t.example} />}
                  </div>
                ))}
              </div>
            </details>
          ))}
        </Part>
      </div>
      <div className="grid min-w-0 content-start">
        <Part title={t.tryIt}>
          <TryIt operation={operation} resolve={resolve} />
        </Part>
      </div>
    </div>
  )
}

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <section className="grid min-w-0 gap-2.5">
    <h4 className="font-semibold">{title}</h4>
    {children}
  </section>
)

const Json = ({ value, label }: { value: unknown; label: string }) => (
  <div className="grid gap-1">
    <span className="text-muted text-xs">{label}</span>
    <CodeBlock text={JSON.stringify(value, null, 2)} />
  </div>
)

/** What stands between backticks is code. */
const withCode = (text: string): ReactNode[] =>
  text.split('`').map((part, position) =>
    position % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text keep their places
      <code key={position} className="rounded bg-sunken px-1 font-mono text-[13px]">
        {part}
      </code>
    ) : (
      part
    ),
  )
