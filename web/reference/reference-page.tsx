import { useSuspenseQuery } from '@tanstack/react-query'
import { useLocation } from '@tanstack/react-router'
import { ChevronRight, Search } from 'lucide-react'
import { useDeferredValue, useEffect, useRef, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Badge, type Tone } from '../ui/badge.tsx'
import { buttonClass } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { type ApiOperation, type Reference, referenceQuery } from './document.ts'
import { OperationDetails } from './operation-details.tsx'
import { referenceText } from './text.ts'

const tones: Record<string, Tone> = { GET: 'accent', POST: 'good', PUT: 'warn', PATCH: 'warn', DELETE: 'bad' }

/** Every operation of the API, made from the document in which it describes itself, and a way to try each. */
export function ReferencePage() {
  const t = useText(referenceText)
  const { data: reference } = useSuspenseQuery(referenceQuery)
  const [wanted, setWanted] = useState('')
  const search = useDeferredValue(wanted.trim().toLowerCase())
  const groups = reference.groups
    .map((group) => ({ ...group, operations: group.operations.filter((each) => matches(each, search)) }))
    .filter(({ operations }) => operations.length > 0)
  return (
    <Page
      title={t.title}
      tabTitle={t.title}
      description={t.hint}
      actions={
        <a href="/api/v1/openapi.json" download="openapi.json" className={buttonClass('plain')}>
          openapi.json
        </a>
      }
    >
      <div className="mb-4 flex flex-wrap items-center gap-3">
        <div className="relative w-full max-w-xs">
          <Search aria-hidden className="absolute top-2.5 left-3 size-4 text-muted" />
          <Input
            type="search"
            aria-label={t.search}
            placeholder={t.search}
            value={wanted}
            onChange={(event) => setWanted(event.target.value)}
            className="pl-9"
          />
        </div>
        <span className="text-muted" role="status">
          {t.count(groups.reduce((sum, { operations }) => sum + operations.length, 0))}
        </span>
      </div>
      <div className="grid gap-5">
        {groups.map(({ name, description, operations }) => (
          <Card key={name} title={name} description={description} flush>
            <ul>
              {operations.map((operation) => (
                <OperationRow key={operation.id} operation={operation} resolve={reference.resolve} />
              ))}
            </ul>
          </Card>
        ))}
      </div>
    </Page>
  )
}

const matches = ({ id, path, summary, method, tag }: ApiOperation, search: string): boolean =>
  search
    .split(/\s+/)
    .every((word) => [id, path, summary, method, tag].some((text) => text.toLowerCase().includes(word)))

/** One line until it is opened. The address of a page may name it: `/api#createServer`. */
function OperationRow({ operation, resolve }: { operation: ApiOperation; resolve: Reference['resolve'] }) {
  const { id, method, path, summary } = operation
  const named = useLocation({ select: ({ hash }) => hash === id })
  const [open, setOpen] = useState(named)
  const row = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (!named) return
    setOpen(true)
    row.current?.scrollIntoView()
  }, [named])
  return (
    <li ref={row} id={id} className="scroll-mt-20 border-line border-t">
      <h3>
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex w-full flex-wrap items-center gap-x-3 gap-y-1 px-5 py-2.5 text-left hover:bg-sunken md:flex-nowrap"
        >
          <span className="flex w-20 shrink-0">
            <Badge tone={tones[method] ?? 'plain'}>{method}</Badge>
          </span>
          <code className="wrap-anywhere min-w-0 font-mono text-[13px]">{path}</code>
          <span className="w-full min-w-0 text-muted md:w-auto md:flex-1 md:text-right">{summary}</span>
          <ChevronRight
            aria-hidden
            className={`size-4 shrink-0 text-muted transition max-md:hidden ${open ? 'rotate-90' : ''}`}
          />
        </button>
      </h3>
      {open && <OperationDetails operation={operation} resolve={resolve} />}
    </li>
  )
}
