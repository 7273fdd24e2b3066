import { lazy, Suspense, useEffect, useState } from 'react'
import { Shortcuts } from './shortcuts.tsx'

/** Loaded when it is first wanted: most visits never open it. */
const Palette = lazy(() => import('./palette.tsx').then(({ Palette }) => ({ default: Palette })))

/** The palette of commands, and the keys that work on every page. */
export function Commands({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  const [helping, setHelping] = useState(false)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        onOpenChange(true)
      } else if (event.key === '?' && !event.ctrlKey && !event.metaKey && !isTyping(event.target)) {
        event.preventDefault()
        setHelping(true)
      }
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [onOpenChange])
  return (
    <>
      {open && (
        <Suspense>
          <Palette onClose={() => onOpenChange(false)} onShortcuts={() => setHelping(true)} />
        </Suspense>
      )}
      <Shortcuts open={helping} onOpenChange={setHelping} />
    </>
  )
}

/** Whether a key belongs to what is being written there. */
const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches('input, textarea, select, [role="textbox"]'))
