import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { Progress } from '../ui/progress.tsx'
import type { Transfer } from './queries.ts'
import { transfersText } from './text.ts'

/** Where a move is, and how much has been copied once that is known. */
export function TransferProgress({ transfer }: { transfer: Transfer }) {
  const t = useText(transfersText)
  const format = useFormat()
  const { stage, percent, bytesDone, bytesTotal, message } = transfer
  const copied = bytesTotal > 0 ? ` · ${t.copied(format.bytes(bytesDone), format.bytes(bytesTotal))}` : ''
  return (
    <div className="grid gap-1">
      <Progress value={percent} max={100} label={t.progress} text={`${t.stages[stage]}${copied}`} />
      {message && <p className="wrap-anywhere text-[13px] text-muted">{message}</p>}
    </div>
  )
}
