import { EllipsisVertical, type LucideIcon } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { IconButton } from './button.tsx'
import { classNames } from './class-names.ts'
import { uiText } from './text.ts'

export type MenuEntry =
  | { label: ReactNode; icon?: LucideIcon; onSelect(): void; danger?: boolean; disabled?: boolean; hint?: ReactNode }
  | 'line'

/** Actions behind a button. Without `trigger`: three dots. */
export function Menu({
  entries,
  trigger,
  label,
  tabIndex,
}: {
  entries: readonly MenuEntry[]
  trigger?: ReactNode
  label?: string
  /** Of the three dots: `-1` where arrow keys lead to them. */
  tabIndex?: number
}) {
  const t = useText(uiText)
  return (
    <DropdownMenu.Root>
      <DropdownMenu.Trigger asChild>
        {trigger ?? <IconButton label={label ?? t.menu} icon={EllipsisVertical} small tabIndex={tabIndex} />}
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 min-w-44 animate-pop rounded-lg border border-line bg-raised p-1 shadow-xl"
        >
          {entries.map((entry, position) =>
            entry === 'line' ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: a line has nothing else
              <DropdownMenu.Separator key={position} className="my-1 h-px bg-line" />
            ) : (
              <DropdownMenu.Item
                // biome-ignore lint/suspicious/noArrayIndexKey: entries keep their places
                key={position}
                disabled={entry.disabled ?? false}
                onSelect={entry.onSelect}
                className={classNames(
                  'flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 outline-none data-disabled:cursor-not-allowed data-highlighted:bg-accent-soft data-disabled:opacity-50',
                  entry.danger && 'text-bad',
                )}
              >
                {entry.icon && <entry.icon aria-hidden className="size-4 shrink-0" />}
                <span className="min-w-0">
                  {entry.label}
                  {entry.hint && <span className="block text-[13px] text-muted">{entry.hint}</span>}
                </span>
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
