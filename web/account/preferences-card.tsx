import { useMemo, useState } from 'react'
import { appText } from '../app/text.ts'
import { type Appearance, appearances, chooseAppearance, chosenAppearance } from '../appearance.ts'
import { useFormat } from '../i18n/format.ts'
import { type Language, languages, useLanguage, useText } from '../i18n/language.tsx'
import { Card } from '../ui/card.tsx'
import { Field } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { accountText } from './text.ts'

/** How these pages speak and look in this browser, and in which time zone they tell times. */
export function PreferencesCard() {
  const t = useText(accountText)
  const app = useText(appText)
  const format = useFormat()
  const { language, speak, timeZone, tellTimesIn } = useLanguage()
  const [appearance, setAppearance] = useState(chosenAppearance)
  const zones = useMemo(() => ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')], [])
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone
  const look = (next: Appearance): void => {
    chooseAppearance(next)
    setAppearance(next)
  }
  return (
    <Card title={t.preferencesTitle} description={t.preferencesHint}>
      <div className="grid gap-4 sm:grid-cols-3">
        <Field label={app.language}>
          <Select
            value={language}
            choices={(Object.keys(languages) as Language[]).map((value) => ({ value, label: languages[value] }))}
            onChange={speak}
          />
        </Field>
        <Field label={t.timeZone} hint={t.timeThere(format.time(Date.now()))}>
          <Select
            value={timeZone ?? ''}
            choices={[
              { value: '', label: t.timeZoneOfDevice(device) },
              ...zones.map((zone) => ({ value: zone, label: zone.replaceAll('_', ' ') })),
            ]}
            onChange={(zone) => tellTimesIn(zone === '' ? undefined : zone)}
          />
        </Field>
        <Field label={app.appearance}>
          <Select
            value={appearance}
            choices={appearances.map((value) => ({ value, label: app.appearances[value] }))}
            onChange={look}
          />
        </Field>
      </div>
    </Card>
  )
}
