import { errorText } from '../api/error-text.ts'
import { phrases } from '../i18n/language.tsx'
import { type PasskeyObstacle, PasskeyRefusal } from './passkey.ts'

export const passkeyText = phrases({
  en: {
    insecure: 'Browsers have passkeys only on pages with https, and on localhost. Open the panel by https.',
    address:
      'Browsers keep passkeys for names, not for numbers. Open the panel by its name; on this machine: localhost.',
    unsupported: 'This browser has no passkeys.',
    notGiven: 'The browser gave no passkey: it was cancelled, took too long, or there is none for this panel.',
    thereAlready: 'This device has a passkey for your account already.',
  },
  de: {
    insecure: 'Browser haben Passkeys nur auf Seiten mit https und auf localhost. Öffne das Panel über https.',
    address:
      'Browser merken sich Passkeys für Namen, nicht für Zahlen. Öffne das Panel mit seinem Namen; auf diesem Rechner: localhost.',
    unsupported: 'Dieser Browser hat keine Passkeys.',
    notGiven:
      'Der Browser hat keinen Passkey gegeben: Es wurde abgebrochen, hat zu lange gedauert, oder es gibt keinen für dieses Panel.',
    thereAlready: 'Dieses Gerät hat schon einen Passkey für dein Konto.',
  },
})

type Words = (typeof passkeyText)['en']

/** Why there are no passkeys here, in words; null where there are. */
export const obstacleText = (t: Words, obstacle: PasskeyObstacle | null): string | null => obstacle && t[obstacle]

/** What went wrong, also where it was the browser that refused. */
export function passkeyErrorText(t: Words, error: unknown): string {
  if (!(error instanceof PasskeyRefusal) || error.kind === 'other') return errorText(error)
  return error.kind === 'not-given' ? t.notGiven : t.thereAlready
}
