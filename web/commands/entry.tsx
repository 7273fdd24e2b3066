import { Command } from 'cmdk'
import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'

/** Commands that belong together. */
export const Group = ({ heading, children }: { heading: ReactNode; children: ReactNode }) => (
  <Command.Group
    heading={heading}
    className="[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:pt-3 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-muted [&_[cmdk-group-heading]]:text-xs"
  >
    {children}
  </Command.Group>
)

/** `value` tells it apart; `words` are what it is found by. */
export function Item({
  value,
  words,
  icon: Icon,
  hint,
  disabled = false,
  onSelect,
  children,
}: {
  value: string
  words: string[]
  icon: LucideIcon
  hint?: ReactNode
  disabled?: boolean
  onSelect(): void
  children: ReactNode
}) {
  return (
    <Command.Item
      value={value}
      keywords={words}
      disabled={disabled}
      onSelect={onSelect}
      className="flex min-h-9 cursor-pointer items-center gap-3 rounded-lg px-3 py-1.5 data-[disabled=true]:cursor-not-allowed data-[selected=true]:bg-accent-soft"
    >
      <Icon aria-hidden className="size-4 shrink-0 text-muted" />
      <span className="wrap-anywhere min-w-0 flex-1">{children}</span>
      {hint && <span className="max-w-3/5 text-right text-muted text-xs">{hint}</span>}
    </Command.Item>
  )
}
