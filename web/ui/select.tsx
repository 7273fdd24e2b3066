import { Check, ChevronDown } from 'lucide-react'
import { Select as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { classNames } from './class-names.ts'
import { inputClass, useFieldProps } from './field.tsx'

export interface Choice<V extends string> {
  value: V
  label: ReactNode
  hint?: ReactNode
  disabled?: boolean
}

/** One of a few. */
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
  choices: readonly Choice<V>[]
  onChange(value: V): void
  /** Needed outside a `Field`. */
  label?: string
  placeholder?: string
  className?: string
  disabled?: boolean
}) {
  const field = useFieldProps()
  return (
    // Radix gives back one of the values that it was given.
    <Radix.Root value={value ?? ''} onValueChange={(next) => onChange(next as V)} disabled={disabled}>
      <Radix.Trigger
        {...field}
        aria-label={label}
        className={classNames(inputClass, 'inline-flex items-center justify-between gap-2 text-left', className)}
      >
        <span className="truncate">
          <Radix.Value placeholder={placeholder} />
        </span>
        <ChevronDown aria-hidden className="size-4 shrink-0 text-muted" />
      </Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          position="popper"
          sideOffset={4}
          className="z-50 max-h-80 min-w-(--radix-select-trigger-width) animate-pop overflow-y-auto rounded-lg border border-line bg-raised p-1 shadow-xl"
        >
          <Radix.Viewport>
            {choices.map(({ value: each, label: shown, hint, disabled: off = false }) => (
              <Radix.Item
                key={each}
                value={each}
                disabled={off}
                className="flex cursor-pointer items-start gap-2 rounded-md px-2 py-1.5 outline-none data-disabled:cursor-not-allowed data-highlighted:bg-accent-soft data-disabled:opacity-50"
              >
                <span className="mt-0.5 size-4 shrink-0">
                  <Radix.ItemIndicator>
                    <Check aria-hidden className="size-4 text-accent-text" />
                  </Radix.ItemIndicator>
                </span>
                <span className="min-w-0">
                  <Radix.ItemText>{shown}</Radix.ItemText>
                  {hint && <span className="block text-[13px] text-muted">{hint}</span>}
                </span>
              </Radix.Item>
            ))}
          </Radix.Viewport>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  )
}
