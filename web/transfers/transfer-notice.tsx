import { useQuery } from '@tanstack/react-query'
import { useText } from '../i18n/language.tsx'
import type { ServerDetails } from '../servers/queries.ts'
import { Notice } from '../ui/state.tsx'
import { hasEnded, transferQuery } from './queries.ts'
import { transfersText } from './text.ts'
import { TransferProgress } from './transfer-progress.tsx'

/** Above every page of a server that is on its way to another machine. */
export function TransferNotice({ serverId, status }: { serverId: string; status: ServerDetails['status'] }) {
  const t = useText(transfersText)
  const { data: transfer } = useQuery({ ...transferQuery(serverId), enabled: status === 'transferring' })
  if (!transfer || hasEnded(transfer.stage)) return null
  return (
    <Notice>
      <p className="mb-2 font-medium">{t.moving(transfer.from.name, transfer.to.name)}</p>
      <TransferProgress transfer={transfer} />
    </Notice>
  )
}
