import type { ReactNode } from 'react'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Facts } from '../ui/facts.tsx'
import { Table } from '../ui/table.tsx'
import type { Template } from './queries.ts'
import { templatesText } from './text.ts'

/** What a template offers: images, variables, what its servers get. */
export function TemplateDetails({ template, onClose }: { template: Template; onClose(): void }) {
  const t = useText(templatesText)
  return (
    <Dialog open onOpenChange={onClose} title={template.name} description={template.summary || template.id} wide>
      <TemplateFacts template={template} />
      <h3 className="mt-5 mb-2 font-medium">{t.variables}</h3>
      {template.variables.length === 0 ? (
        <p className="text-muted">{t.noVariables}</p>
      ) : (
        <div className="overflow-clip rounded-lg border border-line">
          <Table
            caption={t.variables}
            rows={template.variables}
            rowKey={({ name }) => name}
            columns={[
              {
                key: 'name',
                title: t.variable,
                className: 'wrap-anywhere',
                cell: ({ name, label }) => (
                  <span>
                    {label}
                    <code className="block text-muted text-xs">{name}</code>
                  </span>
                ),
              },
              {
                key: 'preset',
                title: t.preset,
                cell: ({ default: preset }) => <code className="wrap-anywhere text-[13px]">{preset}</code>,
              },
              { key: 'access', title: t.whoSets, cell: ({ access = 'edit' }) => t.accesses[access] },
            ]}
          />
        </div>
      )}
    </Dialog>
  )
}

/** What of a template is told in one line each. */
export function TemplateFacts({ template }: { template: Template }) {
  const t = useText(templatesText)
  const format = useFormat()
  const { id, category, protocols, resources, images } = template
  const { memory, disk, cpu } = resources
  const mib = 1024 * 1024
  const facts: [string, ReactNode][] = [
    [t.id, id],
    [t.category, t.categories[category]],
    [t.protocols, format.list(protocols.map((protocol) => protocol.toUpperCase()))],
    [t.resources, `${format.bytes(memory * mib)} · ${format.bytes(disk * mib)} · ${format.number(cpu, 2)} CPU`],
    [
      t.images,
      images.length === 0
        ? t.noImages
        : images.map(({ name, image }, position) => (
            <code key={name} className="block text-[13px]">
              {image}
              {position === 0 && images.length > 1 && <span className="text-muted"> ({t.usual})</span>}
            </code>
          )),
    ],
  ]
  return <Facts facts={facts} />
}
