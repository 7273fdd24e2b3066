import { OctagonX, Play, RotateCw, Square } from 'lucide-react'
import { useState } from 'react'
import type { ServerPermission } from '../../src/contract/permissions.ts'
import { type PowerAction, powerRules, type ServerStatus } from '../../src/contract/power.ts'
import { api } from '../api/api.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { useRefusal } from './refusals.ts'
import { serversText } from './text.ts'

const buttons = [
  { action: 'start', icon: Play, permission: 'control.start' },
  { action: 'restart', icon: RotateCw, permission: 'control.restart' },
  { action: 'stop', icon: Square, permission: 'control.stop' },
  { action: 'kill', icon: OctagonX, permission: 'control.kill' },
] as const satisfies readonly { action: PowerAction; permission: ServerPermission; icon: typeof Play }[]

/** Start, restart, stop, kill. One that cannot be used now says why: by the table that the panel refuses by, too. */
export function PowerButtons({
  serverId,
  status,
  may,
}: {
  serverId: string
  status: ServerStatus
  may(permission: ServerPermission): boolean
}) {
  const t = useText(serversText)
  const refusal = useRefusal()
  const [killing, setKilling] = useState(false)
  const power = useAction({
    run: (action: PowerAction) => api.power({ params: { serverId }, body: { action } }),
    // Nothing is read again: the live connection tells each status, and an answer on its way could be older than that.
    onDone: () => setKilling(false),
  })
  const whyNot = (action: PowerAction, permission: ServerPermission): string | null => {
    if (!may(permission)) return t.mayNot
    return refusal(powerRules[action][status], t.isSo)
  }
  return (
    <div className="grid w-full grid-cols-2 gap-2 sm:flex sm:w-auto sm:flex-wrap">
      {buttons.map(({ action, icon, permission }) => (
        <Button
          key={action}
          icon={icon}
          kind={action === 'start' && powerRules.start[status] === 'do' ? 'primary' : 'plain'}
          unavailable={whyNot(action, permission)}
          busy={power.isPending && power.variables === action}
          onClick={() => (action === 'kill' ? setKilling(true) : power.mutate(action))}
        >
          {t.power[action]}
        </Button>
      ))}
      <ConfirmDialog
        open={killing}
        onOpenChange={setKilling}
        title={t.killTitle}
        description={t.killText}
        submit={t.power.kill}
        busy={power.isPending}
        onSubmit={() => power.mutate('kill')}
      />
    </div>
  )
}
