import type { z } from 'zod'
import type { TemplateVariable } from '../../src/contract/template.ts'
import { Field, Input } from '../ui/field.tsx'
import { Select } from '../ui/select.tsx'
import { Switch } from '../ui/switch.tsx'

/** A control that fits the rule of a template's variable. */
export function VariableField({
  variable: { label, description, rule },
  value,
  error,
  onChange,
  disabled: forbidden = false,
  locked = null,
}: {
  variable: z.output<typeof TemplateVariable>
  value: string
  error: string | undefined
  onChange(value: string): void
  disabled?: boolean
  /** Why this one cannot be set, where others can. */
  locked?: string | null
}) {
  const disabled = forbidden || locked !== null
  const hint = [description, locked].filter(Boolean).join(' ')
  if (rule.type === 'boolean')
    return (
      <Switch
        label={label}
        hint={error ?? hint}
        checked={value === 'true'}
        disabled={disabled}
        onChange={(on) => onChange(String(on))}
      />
    )
  return (
    <Field label={label} hint={hint} error={error}>
      {rule.type === 'choice' ? (
        <Select
          value={value}
          disabled={disabled}
          choices={(rule.optional ? [...new Set(['', ...rule.of])] : rule.of).map((each) => ({
            value: each,
            label: each || '–',
          }))}
          onChange={onChange}
        />
      ) : rule.type === 'integer' || rule.type === 'number' ? (
        <Input
          type="number"
          step={rule.type === 'integer' ? 1 : 'any'}
          min={rule.min}
          max={rule.max}
          disabled={disabled}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      ) : (
        <Input
          maxLength={rule.max}
          disabled={disabled}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}
