import { type ReactNode, useId } from 'react'

/** One of a few that need a word each. */
export function RadioGroup<V extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: ReactNode
  value: V
  choices: readonly { value: NoInfer<V>; label: ReactNode; hint?: ReactNode }[]
  onChange(value: V): void
}) {
  const id = useId()
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1.5 font-medium">{label}</legend>
      {choices.map((choice) => (
        <div key={choice.value} className="flex items-start gap-2.5">
          <input
            type="radio"
            id={`${id}-${choice.value}`}
            name={id}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
            aria-describedby={choice.hint ? `${id}-${choice.value}-hint` : undefined}
            className="dot mt-0.5 size-4.5 shrink-0"
          />
          <span className="min-w-0">
            <label htmlFor={`${id}-${choice.value}`}>{choice.label}</label>
            {choice.hint && (
              <span id={`${id}-${choice.value}-hint`} className="block text-[13px] text-muted">
                {choice.hint}
              </span>
            )}
          </span>
        </div>
      ))}
    </fieldset>
  )
}
