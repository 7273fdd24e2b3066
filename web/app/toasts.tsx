import { Toaster } from 'sonner'

export function Toasts() {
  return (
    <Toaster
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
