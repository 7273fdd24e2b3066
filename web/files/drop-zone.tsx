import { Upload } from 'lucide-react'
import { type DragEvent, type ReactNode, useRef, useState } from 'react'

/** A part of the page that files can be dropped on. With `accepts` false they are left alone. */
export function DropZone({
  label,
  accepts,
  onDrop,
  children,
}: {
  label: string
  accepts: boolean
  onDrop(transfer: DataTransfer): void
  children: ReactNode
}) {
  const [over, setOver] = useState(false)
  // Entering and leaving is told for each element inside.
  const depth = useRef(0)
  const carriesFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer.types.includes('Files')
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the same is done with the upload button
    <div
      className="relative"
      onDragEnter={(event) => {
        if (!accepts || !carriesFiles(event)) return
        event.preventDefault()
        depth.current += 1
        setOver(true)
      }}
      onDragOver={(event) => {
        // Also where they are not taken: the browser would leave the page and show the file.
        if (!carriesFiles(event)) return
        event.preventDefault()
        event.dataTransfer.dropEffect = accepts ? 'copy' : 'none'
      }}
      onDragLeave={() => {
        depth.current = Math.max(0, depth.current - 1)
        if (depth.current === 0) setOver(false)
      }}
      onDrop={(event) => {
        if (!carriesFiles(event)) return
        event.preventDefault()
        depth.current = 0
        setOver(false)
        if (accepts) onDrop(event.dataTransfer)
      }}
    >
      {children}
      {over && (
        <div className="pointer-events-none absolute inset-0 z-20 grid place-items-center rounded-xl border-2 border-accent border-dashed bg-canvas/85">
          <p className="flex items-center gap-2 rounded-lg bg-raised px-4 py-3 font-medium shadow-lg">
            <Upload aria-hidden className="size-5 text-accent-text" />
            {label}
          </p>
        </div>
      )}
    </div>
  )
}
