import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { CommandBlock } from '../ui/copy.tsx'
import { Dialog } from '../ui/dialog.tsx'
import type { Credential } from './queries.ts'
import { foreignEdgesText } from './text.ts'

/** What the edge needs to know, the one time that its credential is shown. */
export function CredentialDialog({
  name,
  credential: { credential, verifyUrl, reportUrl },
  onClose,
}: {
  name: string
  credential: Credential
  onClose(): void
}) {
  const t = useText(foreignEdgesText)
  const configuration = [
    `token_store: ${verifyUrl}`,
    'request_reporter:',
    `  webhook_url: ${reportUrl}`,
    `  secret_env: ${variable}`,
  ]
  return (
    <Dialog open onOpenChange={onClose} title={t.credentialTitle(name)} description={t.credentialHint} wide>
      <div className="grid min-w-0 gap-4">
        <section className="grid min-w-0 gap-1.5">
          <h3 className="font-medium">{t.environment}</h3>
          <CommandBlock text={`${variable}=${credential}`} />
        </section>
        <section className="grid min-w-0 gap-1.5">
          <h3 className="font-medium">{t.configuration}</h3>
          <CommandBlock text={configuration.join('\n')} />
        </section>
        <div className="flex justify-end">
          <Button kind="primary" onClick={onClose}>
            {t.done}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

/** As such an edge calls it. */
const variable = 'BEAMD_AUTH_VERIFY_SECRET'
