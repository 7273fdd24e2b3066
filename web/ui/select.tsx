import { ChevronDown } from 'lucide-react'
import { classNames } from './class-names.ts'
import { inputClass, useFieldProps } from './field.tsx'

export interface Choice<V extends string> {
  value: V
  label: string
  disabled?: boolean
}

/** One of a few. The browser's own list: it works by keyboard, by voice and on every small screen. */
export function Select<V extends string>({
  value,
  choices,
  onChange,
  label,
  placeholder,
  className,
  disabled = false,
}: {
  value: V | undefined
  choices: readonly Choice<NoInfer<V>>[]
  onChange(value: V): void
  /** Needed outside a `Field`. */
  label?: string
  placeholder?: string
  className?: string
  disabled?: boolean
}) {
  return (
    <span className={classNames('relative block', className)}>
      <select
        {...useFieldProps()}
        aria-label={label}
        value={value ?? ''}
        disabled={disabled}
        // The browser gives back one of the values below.
        onChange={(event) => onChange(event.target.value as V)}
        className={classNames(inputClass, 'appearance-none pr-9')}
      >
        {value === undefined && (
          <option value="" disabled>
            {placeholder}
          </option>
        )}
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value} disabled={choice.disabled} className="bg-raised text-ink">
            {choice.label}
          </option>
        ))}
      </select>
      <ChevronDown aria-hidden className="pointer-events-none absolute top-2.5 right-3 size-4 text-muted" />
    </span>
  )
}
