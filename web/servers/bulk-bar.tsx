import { Folder, OctagonX, Play, RotateCw, Square, X } from 'lucide-react'
import { useState } from 'react'
import type { PowerAction } from '../../src/contract/power.ts'
import { useText } from '../i18n/language.tsx'
import { Button, IconButton } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { BulkProgress } from './bulk-progress.tsx'
import { FolderDialog } from './folder-dialog.tsx'
import type { ServerListItem } from './queries.ts'
import { serversText } from './text.ts'

const actions = [
  ['start', Play],
  ['restart', RotateCw],
  ['stop', Square],
  ['kill', OctagonX],
] as const

/** What can be done with all servers that are selected. */
export function BulkBar({
  servers,
  folders,
  onFolder,
  onClear,
}: {
  servers: readonly ServerListItem[]
  folders: readonly string[]
  /** Null takes them out of their folders. */
  onFolder(folder: string | null): void
  onClear(): void
}) {
  const t = useText(serversText)
  const [killing, setKilling] = useState(false)
  const [moving, setMoving] = useState(false)
  const [under, setUnder] = useState<{ action: PowerAction; servers: readonly ServerListItem[] } | null>(null)
  const begin = (action: PowerAction): void => setUnder({ action, servers })
  return (
    <section
      aria-label={t.selection}
      className="sticky bottom-3 z-20 mt-4 flex flex-wrap items-center gap-2 rounded-xl border border-line-strong bg-raised p-2 shadow-xl sm:pl-4"
    >
      <span className="mr-auto font-medium max-sm:w-[calc(100%-3rem)] max-sm:pl-2" role="status">
        {t.selected(servers.length)}
      </span>
      {actions.map(([action, icon]) => (
        <Button key={action} small icon={icon} onClick={() => (action === 'kill' ? setKilling(true) : begin(action))}>
          {t.power[action]}
        </Button>
      ))}
      <Button small icon={Folder} onClick={() => setMoving(true)}>
        {t.folder}
      </Button>
      <IconButton
        small
        icon={X}
        label={t.clearSelection}
        onClick={() => {
          onClear()
          // The bar goes away with the button that has the focus.
          document.getElementById('content')?.focus({ preventScroll: true })
        }}
        className="max-sm:absolute max-sm:top-2 max-sm:right-2"
      />
      <ConfirmDialog
        open={killing}
        onOpenChange={setKilling}
        title={t.killAllTitle(servers.length)}
        description={t.killAllText}
        submit={t.power.kill}
        onSubmit={() => {
          setKilling(false)
          begin('kill')
        }}
      />
      {moving && (
        <FolderDialog
          folders={folders}
          onClose={() => setMoving(false)}
          onChoose={(folder) => {
            setMoving(false)
            onFolder(folder)
          }}
        />
      )}
      {under && <BulkProgress {...under} onClose={() => setUnder(null)} />}
    </section>
  )
}
