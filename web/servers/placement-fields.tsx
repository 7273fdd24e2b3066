import { useQuery } from '@tanstack/react-query'
import type { z } from 'zod'
import type { TemplateSummary } from '../../src/contract/api/templates.ts'
import { type Node, nodesQuery } from '../admin/queries.ts'
import { fieldError } from '../api/error-text.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { placementText } from './placement-text.ts'

type Template = z.output<typeof TemplateSummary>

/** Where a new server shall be and in what it shall run. An empty text leaves it to the panel. */
export interface Placing {
  node: string
  labels: Readonly<Record<string, string>>
  runtime: 'auto' | 'docker' | 'sandbox'
  image: string
}

export const placedAnywhere: Placing = { node: '', labels: {}, runtime: 'auto', image: '' }

/** The same as a request has it. */
export function placingBody({ node, labels, runtime, image }: Placing) {
  const wanted = Object.entries(labels).filter(([, value]) => value !== '')
  return {
    ...(node === '' ? {} : { node }),
    ...(node === '' && wanted.length > 0 ? { placement: { labels: Object.fromEntries(wanted) } } : {}),
    ...(runtime === 'auto' ? {} : { runtime }),
    ...(runtime === 'docker' && image.trim() !== '' ? { image: image.trim() } : {}),
  }
}

/** The API counts memory in MiB. */
const MiB = 1024 * 1024

/** Choices that there is something to choose from: machines for whoever may know them, containers where its kind has images. */
export function PlacementFields({
  template,
  memoryMib,
  value,
  error,
  onChange,
}: {
  template: Template
  /** What it shall have. */
  memoryMib: number
  value: Placing
  error: unknown
  onChange(next: Placing): void
}) {
  const t = useText(placementText)
  const format = useFormat()
  const { instanceAdmin } = useAccount()
  const { data } = useQuery({ ...nodesQuery, enabled: instanceAdmin })
  const nodes = data?.nodes ?? []
  const { images } = template
  const isContainer = value.runtime === 'docker'
  const labels = labelChoices(nodes)
  const chosen = nodes.find(({ id }) => id === value.node)
  const left = chosen ? memoryLeftMib(chosen) : null
  const wordsFor = (node: Node): { label: string; disabled: boolean } => {
    if (!node.online) return { label: t.away(node.name), disabled: true }
    if (node.maintenance) return { label: t.inMaintenance(node.name), disabled: true }
    if (isContainer && !node.capabilities?.containers) return { label: t.noContainers(node.name), disabled: true }
    const room = memoryLeftMib(node)
    return {
      label: room === null ? t.anyRoom(node.name) : t.room(node.name, format.bytes(room * MiB)),
      disabled: false,
    }
  }
  return (
    <>
      {(images.length > 0 || instanceAdmin) && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t.runtime} error={fieldError(error, 'runtime')}>
            <Select
              value={value.runtime}
              choices={(['auto', 'sandbox', 'docker'] as const).map((each) => ({
                value: each,
                label: t.runtimes[each],
              }))}
              onChange={(runtime) => onChange({ ...value, runtime, image: '' })}
            />
          </Field>
          {isContainer && images.length > 0 && (
            <Field label={t.image} hint={t.imageHint} error={fieldError(error, 'image')}>
              <Select
                value={images.some(({ image }) => image === value.image) ? value.image : ''}
                choices={[
                  { value: '', label: t.usualImage },
                  ...images.map(({ name, image }) => ({ value: image, label: name })),
                ]}
                onChange={(image) => onChange({ ...value, image })}
              />
            </Field>
          )}
          {isContainer && instanceAdmin && (
            <Field
              label={t.otherImage}
              hint={t.otherImageHint}
              error={images.length === 0 ? fieldError(error, 'image') : undefined}
            >
              <Input
                maxLength={300}
                spellCheck={false}
                value={value.image}
                onChange={(event) => onChange({ ...value, image: event.target.value })}
              />
            </Field>
          )}
        </div>
      )}
      {nodes.length > 1 && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t.placement} error={fieldError(error, 'node')}>
            <Select
              value={value.node}
              choices={[{ value: '', label: t.best }, ...nodes.map((node) => ({ value: node.id, ...wordsFor(node) }))]}
              onChange={(node) => onChange({ ...value, node, labels: {} })}
            />
          </Field>
          {value.node === '' && labels.length > 0 && (
            <fieldset className="grid content-start gap-2">
              <legend className="mb-1.5 font-medium">{t.labels}</legend>
              {labels.map(([name, values]) => (
                <Select
                  key={name}
                  label={name}
                  value={value.labels[name] ?? ''}
                  choices={[
                    { value: '', label: `${name}: ${t.anyLabel}` },
                    ...values.map((each) => ({ value: each, label: `${name}=${each}` })),
                  ]}
                  onChange={(each) => onChange({ ...value, labels: { ...value.labels, [name]: each } })}
                />
              ))}
            </fieldset>
          )}
        </div>
      )}
      {chosen && left !== null && left < memoryMib && (
        <Notice tone="warn">{t.tooMuch(chosen.name, format.bytes(left * MiB))}</Notice>
      )}
    </>
  )
}

/** What a machine may still promise; null for any amount. */
function memoryLeftMib({ capacity, overAllocation, allocated }: Node): number | null {
  if (!capacity || overAllocation.memory === null) return null
  return Math.max(0, Math.floor(capacity.memory * overAllocation.memory) - allocated.memory)
}

/** Every label that some machine has, with its values. */
function labelChoices(nodes: readonly Node[]): [name: string, values: string[]][] {
  const all = new Map<string, Set<string>>()
  for (const { labels } of nodes)
    for (const [name, value] of Object.entries(labels)) all.set(name, (all.get(name) ?? new Set()).add(value))
  return [...all]
    .map(([name, values]): [string, string[]] => [name, [...values].sort()])
    .sort(([left], [right]) => left.localeCompare(right))
}
