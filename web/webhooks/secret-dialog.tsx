import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { webhooksText } from './text.ts'

/** A secret, the one time it is shown. `also`: what else to know of it; `leave`: what the button says. */
export function SecretDialog({
  title,
  secret,
  also,
  leave,
  onClose,
}: {
  title: string
  secret: string
  also?: string
  leave: string
  onClose(): void
}) {
  const t = useText(webhooksText)
  return (
    <Dialog open onOpenChange={onClose} title={title} description={t.secretHint}>
      <div className="grid gap-4">
        <CommandBlock text={secret} />
        <p className="text-muted">{t.verify}</p>
        {also && <p>{also}</p>}
        <div className="flex justify-end">
          <Button kind="primary" onClick={onClose}>
            {leave}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
