import type { z } from 'zod'
import type { CreationOptions, RequestOptions } from '../../src/contract/api/account-security.ts'

/** Why a page cannot use passkeys: it is not reached by https, it is reached by a number, or the browser has none. */
export type PasskeyObstacle = 'insecure' | 'address' | 'unsupported'

/** Null where they can be used. */
export function passkeyObstacle(): PasskeyObstacle | null {
  if (!window.isSecureContext) return 'insecure'
  if (/^[\d.]+$|^\[/.test(location.hostname)) return 'address'
  return 'PublicKeyCredential' in window ? null : 'unsupported'
}

/** Has the browser make a passkey. Throws `PasskeyRefusal` where the person, or the device, does not. */
export async function makePasskey(options: z.output<typeof CreationOptions>) {
  const { startRegistration } = await import('@simplewebauthn/browser')
  // Base64 texts and names: what the library calls a transport is a text for us.
  const optionsJSON = options as Parameters<typeof startRegistration>[0]['optionsJSON']
  const made = await startRegistration({ optionsJSON }).catch(refuse)
  return { ...made, clientExtensionResults: { ...made.clientExtensionResults } }
}

/** Has the browser prove a passkey that the person chooses. */
export async function provePasskey(options: z.output<typeof RequestOptions>) {
  const { startAuthentication } = await import('@simplewebauthn/browser')
  const proven = await startAuthentication({ optionsJSON: options }).catch(refuse)
  return { ...proven, clientExtensionResults: { ...proven.clientExtensionResults } }
}

/** The browser gave no passkey: nobody agreed, there is none, or this device has one already. */
export class PasskeyRefusal extends Error {
  readonly kind: 'not-given' | 'there-already' | 'other'

  constructor(kind: PasskeyRefusal['kind'], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.kind = kind
  }
}

function refuse(error: unknown): never {
  const name = error instanceof Error ? error.name : ''
  if (name === 'NotAllowedError' || name === 'AbortError') throw new PasskeyRefusal('not-given', error)
  throw new PasskeyRefusal(name === 'InvalidStateError' ? 'there-already' : 'other', error)
}
