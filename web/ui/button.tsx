import { LoaderCircle, type LucideIcon } from 'lucide-react'
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { classNames } from './class-names.ts'
import { Tip } from './tip.tsx'

export type ButtonKind = 'primary' | 'plain' | 'quiet' | 'danger'

const kinds: Record<ButtonKind, string> = {
  primary: 'bg-accent text-accent-ink hover:brightness-110 border-transparent',
  plain: 'bg-surface text-ink border-line hover:bg-sunken',
  quiet: 'bg-transparent text-muted border-transparent hover:bg-sunken hover:text-ink',
  danger: 'bg-bad-fill text-accent-ink border-transparent hover:brightness-110',
}

/** How a button looks, for links that look like one. */
export const buttonClass = (kind: ButtonKind = 'plain', small = false, square = false): string =>
  classNames(
    'inline-flex shrink-0 select-none items-center justify-center gap-2 whitespace-nowrap rounded-lg border font-medium transition',
    'disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50',
    small ? 'h-8 text-[13px]' : 'h-9',
    square ? (small ? 'w-8' : 'w-9') : small ? 'px-2.5' : 'px-3.5',
    kinds[kind],
  )

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  kind?: ButtonKind
  small?: boolean
  /** As wide as high: for an icon alone. */
  square?: boolean
  icon?: LucideIcon
  /** Work is under way: shows it and takes no further click. */
  busy?: boolean
  disabled?: boolean
  /** Why it cannot be used now. The button stays reachable by keyboard so that everybody can read it. */
  unavailable?: string | null | undefined
  ref?: Ref<HTMLButtonElement>
  children?: ReactNode
}

export function Button({ unavailable, ...rest }: ButtonProps) {
  // Always in a tip: a button that becomes unavailable under somebody's hands keeps the focus.
  return (
    <Tip text={unavailable}>
      <PlainButton {...rest} blocked={Boolean(unavailable)} />
    </Tip>
  )
}

/** A button that is only an icon; `label` is what it is called. */
export function IconButton({
  label,
  unavailable,
  ...rest
}: Omit<ButtonProps, 'children' | 'square'> & { label: string }) {
  return (
    <Tip text={unavailable ? `${label}: ${unavailable}` : label}>
      <PlainButton kind="quiet" {...rest} blocked={Boolean(unavailable)} aria-label={label} square />
    </Tip>
  )
}

/** `blocked` takes no click, and stays reachable so that its tip can be read. */
function PlainButton({
  kind = 'plain',
  small = false,
  square = false,
  icon: Icon,
  busy = false,
  blocked,
  disabled = false,
  className,
  children,
  onClick,
  type = 'button',
  ...rest
}: Omit<ButtonProps, 'unavailable'> & { blocked: boolean }) {
  const inert = busy || blocked
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled}
      aria-disabled={inert || undefined}
      aria-busy={busy || undefined}
      onClick={inert ? (event) => event.preventDefault() : onClick}
      className={classNames(buttonClass(kind, small, square), className)}
    >
      {busy ? (
        <LoaderCircle aria-hidden className="size-4 shrink-0 animate-spin" />
      ) : (
        Icon && <Icon aria-hidden className="size-4 shrink-0" />
      )}
      {children}
    </button>
  )
}
