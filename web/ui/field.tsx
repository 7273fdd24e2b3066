import {
  createContext,
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type TextareaHTMLAttributes,
  use,
  useId,
} from 'react'
import { classNames } from './class-names.ts'

/** How inputs of every kind look. */
export const inputClass =
  'h-9 w-full min-w-0 rounded-lg border border-line-strong/60 bg-canvas px-3 text-ink placeholder:text-muted/80 hover:border-line-strong aria-invalid:border-bad disabled:opacity-60'

interface FieldIds {
  control: string
  described: string | undefined
  invalid: boolean
}
const FieldContext = createContext<FieldIds | null>(null)

/** What ties a control to the field around it. */
export function useFieldProps(): {
  id?: string
  'aria-describedby'?: string | undefined
  'aria-invalid'?: true | undefined
} {
  const ids = use(FieldContext)
  return ids ? { id: ids.control, 'aria-describedby': ids.described, 'aria-invalid': ids.invalid || undefined } : {}
}

/** A control with its name, a hint and what is wrong with it. */
export function Field({
  label,
  hint,
  error,
  children,
  className,
}: {
  label: ReactNode
  hint?: ReactNode
  error?: ReactNode
  children: ReactNode
  className?: string
}) {
  const id = useId()
  const described = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined
  return (
    <FieldContext value={{ control: id, described, invalid: Boolean(error) }}>
      <div className={classNames('grid content-start gap-1.5', className)}>
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {children}
        {hint && (
          <p id={`${id}-hint`} className="text-[13px] text-muted">
            {hint}
          </p>
        )}
        {error && (
          <p id={`${id}-error`} className="text-[13px] text-bad" role="alert">
            {error}
          </p>
        )}
      </div>
    </FieldContext>
  )
}

export function Input({ className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input {...useFieldProps()} {...rest} className={classNames(inputClass, className)} />
}

export function TextArea({
  className,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return (
    <textarea rows={4} {...useFieldProps()} {...rest} className={classNames(inputClass, 'h-auto py-2', className)} />
  )
}
