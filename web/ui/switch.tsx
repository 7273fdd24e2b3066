import { Check } from 'lucide-react'
import { Checkbox as RadixCheckbox, Switch as RadixSwitch } from 'radix-ui'
import { type ReactNode, useId } from 'react'

interface ToggleProps {
  checked: boolean
  onChange(checked: boolean): void
  label: ReactNode
  hint?: ReactNode
  disabled?: boolean
}

/** On or off, effective with the form or at once. */
export function Switch({ checked, onChange, label, hint, disabled = false }: ToggleProps) {
  const id = useId()
  return (
    <div className="flex items-start gap-3">
      <RadixSwitch.Root
        id={id}
        checked={checked}
        onCheckedChange={onChange}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        className="relative mt-0.5 h-5 w-9 shrink-0 before:absolute before:-inset-1 rounded-full border border-line-strong bg-sunken transition data-[state=checked]:border-accent data-[state=checked]:bg-accent disabled:cursor-not-allowed disabled:opacity-50"
      >
        <RadixSwitch.Thumb className="block size-3.5 translate-x-0.5 rounded-full bg-line-strong transition data-[state=checked]:translate-x-[18px] data-[state=checked]:bg-accent-ink" />
      </RadixSwitch.Root>
      <span className="min-w-0">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {hint && (
          <span id={`${id}-hint`} className="block text-[13px] text-muted">
            {hint}
          </span>
        )}
      </span>
    </div>
  )
}

/** One of several that may be chosen together. With `hideLabel` the label is for screen readers alone. */
export function Checkbox({
  checked,
  onChange,
  label,
  hint,
  disabled = false,
  hideLabel = false,
}: Omit<ToggleProps, 'checked'> & { checked: boolean | 'indeterminate'; hideLabel?: boolean }) {
  const id = useId()
  return (
    <span className="inline-flex items-start gap-2.5">
      <RadixCheckbox.Root
        id={id}
        checked={checked}
        onCheckedChange={(next) => onChange(next === true)}
        disabled={disabled}
        aria-describedby={hint ? `${id}-hint` : undefined}
        className="relative mt-0.5 inline-flex size-4.5 shrink-0 before:absolute before:-inset-1.5 items-center justify-center rounded border border-line-strong bg-canvas data-[state=checked]:border-accent data-[state=checked]:bg-accent data-[state=indeterminate]:bg-accent disabled:cursor-not-allowed disabled:opacity-50"
      >
        <RadixCheckbox.Indicator>
          {checked === 'indeterminate' ? (
            <span aria-hidden className="block h-0.5 w-2.5 bg-accent-ink" />
          ) : (
            <Check aria-hidden className="size-3.5 text-accent-ink" strokeWidth={3} />
          )}
        </RadixCheckbox.Indicator>
      </RadixCheckbox.Root>
      <span className={hideLabel ? 'sr-only' : 'min-w-0'}>
        <label htmlFor={id}>{label}</label>
        {hint && (
          <span id={`${id}-hint`} className="block text-[13px] text-muted">
            {hint}
          </span>
        )}
      </span>
    </span>
  )
}
