import { useText } from '../i18n/language.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { commandsText } from './text.ts'

/** Which keys do what. */
export function Shortcuts({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  const t = useText(commandsText)
  const rows = [
    [t.keys.palette, ['Ctrl', 'K']],
    [t.keys.help, ['?']],
    [t.keys.close, ['Esc']],
    [t.keys.next, ['Tab']],
    [t.keys.history, ['↑', '↓']],
    [t.keys.search, ['Enter']],
  ] as const
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t.shortcuts}>
      <dl className="grid gap-2.5">
        {rows.map(([what, keys]) => (
          <div key={what} className="flex items-center justify-between gap-4">
            <dt>{what}</dt>
            <dd className="flex shrink-0 gap-1">
              {keys.map((key) => (
                <kbd
                  key={key}
                  className="min-w-7 rounded-md border border-line-strong bg-sunken px-1.5 py-0.5 text-center font-mono text-xs"
                >
                  {key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
