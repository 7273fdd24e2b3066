import { Tooltip } from 'radix-ui'
import { type FocusEvent, type ReactNode, useState } from 'react'

/** Words that appear beside `children` on hover and focus. Without `text` there are none, and `children` stay the same element. */
export function Tip({ text, children }: { text: ReactNode; children: ReactNode }) {
  const [open, setOpen] = useState(false)
  return (
    <Tooltip.Root open={open && Boolean(text)} onOpenChange={setOpen}>
      <Tooltip.Trigger asChild onFocus={onlyVisible}>
        {children}
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-72 animate-pop rounded-md border border-line bg-raised px-2.5 py-1.5 text-ink text-xs shadow-lg"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}

/** What a dialog gives the focus to after a click needs no words; who comes by keyboard reads them. */
const onlyVisible = (event: FocusEvent<HTMLButtonElement>): void => {
  if (!event.currentTarget.matches(':focus-visible')) event.preventDefault()
}

export const TipProvider = ({ children }: { children: ReactNode }) => (
  <Tooltip.Provider delayDuration={300}>{children}</Tooltip.Provider>
)
