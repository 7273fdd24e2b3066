import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { Table } from '../ui/table.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { plansText } from './plans-text.ts'
import { WorkspacePlanCard } from './workspace-plan-card.tsx'

type Plan = Awaited<ReturnType<typeof api.plans>>['plans'][number]

const KiB = 1024
const GiB = 1024 ** 3

const plansQuery = queryOptions({
  queryKey: ['plans'],
  queryFn: async ({ signal }) => (await api.plans({}, { signal })).plans,
})

export function PlansPage() {
  const t = useText(plansText)
  return (
    <AdministratorsPage title={t.title}>
      <Plans />
    </AdministratorsPage>
  )
}

function Plans() {
  const t = useText(plansText)
  const format = useFormat()
  const { data: plans } = useSuspenseQuery(plansQuery)
  const [changing, setChanging] = useState<Plan | null>(null)
  const or = (value: number | null, words: (known: number) => string): string =>
    value === null ? t.unlimited : words(value)
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint}>
      <div className="grid gap-5">
        <Card flush>
          <Table
            caption={t.title}
            rows={plans}
            rowKey={({ name }) => name}
            columns={[
              { key: 'plan', title: t.plan, className: 'font-medium', cell: ({ name }) => t.names[name] },
              { key: 'tunnels', title: t.tunnels, cell: ({ tunnels }) => or(tunnels, format.number) },
              { key: 'connections', title: t.connections, cell: ({ connections }) => or(connections, format.number) },
              {
                key: 'speed',
                title: t.bytesPerSecond,
                cell: ({ bytesPerSecond }) => or(bytesPerSecond, (bytes) => t.perSecond(format.bytes(bytes))),
              },
              { key: 'month', title: t.bytesPerMonth, cell: ({ bytesPerMonth }) => or(bytesPerMonth, format.bytes) },
              {
                key: 'actions',
                title: t.actions,
                align: 'right',
                cell: (plan) => (
                  <Button small aria-label={t.changeOf(t.names[plan.name])} onClick={() => setChanging(plan)}>
                    {t.change}
                  </Button>
                ),
              },
            ]}
          />
        </Card>
        <WorkspacePlanCard />
      </div>
      {changing && <ChangePlan plan={changing} onClose={() => setChanging(null)} />}
    </Page>
  )
}

function ChangePlan({ plan, onClose }: { plan: Plan; onClose(): void }) {
  const t = useText(plansText)
  const [values, setValues] = useState(() => ({
    tunnels: inUnits(plan.tunnels, 1),
    connections: inUnits(plan.connections, 1),
    bytesPerSecond: inUnits(plan.bytesPerSecond, KiB),
    bytesPerMonth: inUnits(plan.bytesPerMonth, GiB),
  }))
  const [warns, setWarns] = useState(plan.warnsVisitors)
  const save = useAction({
    run: () =>
      api.putPlan({
        params: { plan: plan.name },
        body: {
          tunnels: outOfUnits(values.tunnels, 1),
          connections: outOfUnits(values.connections, 1),
          bytesPerSecond: outOfUnits(values.bytesPerSecond, KiB),
          bytesPerMonth: outOfUnits(values.bytesPerMonth, GiB),
          warnsVisitors: warns,
        },
      }),
    done: t.saved,
    changes: [plansQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const fields = [
    ['tunnels', t.tunnels, t.tunnelsHint, 1],
    ['connections', t.connections, t.connectionsHint, 1],
    ['bytesPerSecond', t.rate, t.rateHint, 'any'],
    ['bytesPerMonth', t.month, t.monthHint, 'any'],
  ] as const
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.changeOf(t.names[plan.name])}
      description={t.empty}
      submit={t.save}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      {fields.map(([field, label, hint, step]) => (
        <Field key={field} label={label} hint={hint} error={fieldError(error, field)}>
          <Input
            type="number"
            min={0}
            step={step}
            value={values[field]}
            onChange={(event) => setValues({ ...values, [field]: event.target.value })}
          />
        </Field>
      ))}
      <Switch checked={warns} onChange={setWarns} label={t.warns} />
      {error && !fields.some(([field]) => fieldError(error, field)) && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}

const inUnits = (value: number | null, unit: number): string => (value === null ? '' : String(value / unit))

/** Empty for no limit. */
const outOfUnits = (text: string, unit: number): number | null =>
  text.trim() === '' ? null : Math.round(Number(text) * unit)
