import { useEffect, useRef } from 'react'
import { Toaster as Corner, toast } from 'sonner'
import type { Toast } from '../ui/toast.ts'

/** Shows each of them once, for a few seconds. */
export function Toaster({ toasts }: { toasts: readonly Toast[] }) {
  const shown = useRef(0)
  // After the corner's own effects, so that it hears of them.
  useEffect(() => {
    for (const { how, text } of toasts.slice(shown.current)) toast[how](text)
    shown.current = toasts.length
  }, [toasts])
  return (
    <Corner
      position="bottom-right"
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            'flex w-full items-start gap-3 rounded-lg border border-line bg-raised px-4 py-3 text-ink text-sm shadow-xl wrap-anywhere',
          error: '!border-bad',
          description: 'text-muted',
        },
      }}
    />
  )
}
