import { type FormEvent, useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { plansText } from './plans-text.ts'

type Assigned = Awaited<ReturnType<typeof api.workspacePlan>>

const plans = ['standard', 'enterprise'] as const

/** Looks a workspace up by its short name and decides its plan. */
export function WorkspacePlanCard() {
  const t = useText(plansText)
  const { workspaces } = useAccount()
  const [slug, setSlug] = useState(workspaces[0]?.slug ?? '')
  const [found, setFound] = useState<Assigned | null>(null)
  const find = useAction({
    run: () => api.workspacePlan({ params: { slug: slug.trim() } }),
    quiet: true,
    onDone: setFound,
  })
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    setFound(null)
    if (slug.trim() !== '') find.mutate()
  }
  return (
    <Card title={t.assign} description={t.assignHint}>
      <div className="grid max-w-xl gap-5">
        <form onSubmit={submit} className="grid gap-3">
          <Field label={t.slug} hint={t.slugHint} error={find.error && errorText(find.error)}>
            <Input
              maxLength={63}
              spellCheck={false}
              value={slug}
              onChange={(event) => {
                setSlug(event.target.value)
                setFound(null)
              }}
            />
          </Field>
          <div>
            <Button type="submit" busy={find.isPending} disabled={slug.trim() === ''}>
              {t.find}
            </Button>
          </div>
        </form>
        {found && <Assign key={found.slug} now={found} onChanged={setFound} />}
      </div>
    </Card>
  )
}

function Assign({ now, onChanged }: { now: Assigned; onChanged(next: Assigned): void }) {
  const t = useText(plansText)
  const [plan, setPlan] = useState(now.plan)
  const [rateLimit, setRateLimit] = useState(String(now.rateLimit ?? ''))
  const [suspended, setSuspended] = useState(now.suspended)
  const [asking, setAsking] = useState(false)
  const save = useAction({
    run: () =>
      api.putWorkspacePlan({
        params: { slug: now.slug },
        body: { plan, suspended, rateLimit: rateLimit.trim() === '' ? null : Number(rateLimit) },
      }),
    done: t.saved,
    quiet: true,
    onDone(next) {
      setAsking(false)
      onChanged(next)
    },
  })
  const wrong = fieldError(save.error, 'rateLimit')
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (suspended && !now.suspended) setAsking(true)
    else save.mutate()
  }
  return (
    <form onSubmit={submit} className="grid gap-4 border-line border-t pt-5">
      <Field label={t.plan}>
        <Select
          value={plan}
          choices={plans.map((value) => ({ value, label: t.names[value] }))}
          onChange={(next) => setPlan(next)}
        />
      </Field>
      <Field label={t.rateLimit} hint={t.rateLimitHint} error={wrong}>
        <Input
          type="number"
          min={1}
          step={1}
          value={rateLimit}
          onChange={(event) => setRateLimit(event.target.value)}
        />
      </Field>
      <Switch label={t.suspended} hint={t.suspendText} checked={suspended} onChange={setSuspended} />
      {save.error && !wrong && <Notice tone="bad">{errorText(save.error)}</Notice>}
      <div>
        <Button type="submit" kind="primary" busy={save.isPending}>
          {t.save}
        </Button>
      </div>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={t.suspendTitle(now.slug)}
        description={t.suspendText}
        submit={t.suspend}
        busy={save.isPending}
        onSubmit={() => save.mutate()}
      />
    </form>
  )
}
