import { Download } from 'lucide-react'
import { useText } from '../i18n/language.tsx'
import { Button, buttonClass } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { securityText } from './security-text.ts'

/** Shown once: to copy, or to keep as a file. */
export function RecoveryCodes({ codes, onClose }: { codes: string[]; onClose(): void }) {
  const t = useText(securityText)
  const text = codes.join('\n')
  return (
    <Dialog open onOpenChange={onClose} title={t.recoveryTitle} description={t.recoveryHint}>
      <div className="grid gap-4">
        <CommandBlock text={text} />
        <div className="flex flex-wrap justify-end gap-2">
          <a
            className={buttonClass()}
            download="pharos-recovery-codes.txt"
            href={`data:text/plain,${encodeURIComponent(`${text}\n`)}`}
          >
            <Download aria-hidden className="size-4" />
            {t.download}
          </a>
          <Button kind="primary" onClick={onClose}>
            {t.kept}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
