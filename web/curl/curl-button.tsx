import { useLocation } from '@tanstack/react-router'
import { SquareTerminal } from 'lucide-react'
import { useState, useSyncExternalStore } from 'react'
import { requests } from '../api/api.ts'
import { useText } from '../i18n/language.tsx'
import { IconButton } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { curlOf } from './curl.ts'
import { curlText } from './text.ts'

/** What the page asked the API for, as commands: whatever a page can do, a key can. */
export function CurlButton() {
  const t = useText(curlText)
  const [open, setOpen] = useState(false)
  return (
    <>
      <IconButton icon={SquareTerminal} label={t.title} onClick={() => setOpen(true)} />
      <Dialog open={open} onOpenChange={setOpen} title={t.title} description={t.hint} wide>
        {open && <Commands />}
      </Dialog>
    </>
  )
}

function Commands() {
  const t = useText(curlText)
  const page = useLocation({ select: ({ pathname }) => pathname })
  const made = useSyncExternalStore(requests.subscribe, () => requests.of(page))
  if (made.length === 0) return <p className="text-muted">{t.none}</p>
  return (
    <div className="grid gap-3">
      {made.map((request) => (
        <CommandBlock key={`${request.method} ${request.path}`} text={curlOf(request, location.origin)} />
      ))}
    </div>
  )
}
