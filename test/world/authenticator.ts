import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** What the tests may tell a passkey to do wrong. */
export interface Mischief {
  /** The page that it believes to be on. */
  origin?: string
  /** The name that the passkey is bound to. */
  rpId?: string
  /** Whether the person has shown a finger, a face or a PIN. */
  verified?: boolean
  counter?: number
  /** Whose it says it is. */
  userHandle?: string
  challenge?: string
}

/** A passkey in software: ES256, counting its uses, as an authenticator and a browser on the page `origin` would make and use it. */
export class SoftwarePasskey {
  readonly #origin: string
  readonly #rpId: string
  readonly #key: KeyObject
  readonly #publicPoint: { x: Buffer; y: Buffer }
  readonly id = randomBytes(16).toString('base64url')
  counter = 0
  userHandle = ''

  constructor(origin: string) {
    this.#origin = origin
    this.#rpId = new URL(origin).hostname
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#key = privateKey
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    this.#publicPoint = { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') }
  }

  /** What `navigator.credentials.create` would give. */
  create(options: { challenge: string; user: { id: string } }, mischief: Mischief = {}) {
    this.userHandle = options.user.id
    const id = Buffer.from(this.id, 'base64url')
    const length = Buffer.alloc(2)
    length.writeUInt16BE(id.length)
    const publicKey = cbor(
      new Map<number, number | Buffer>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, this.#publicPoint.x],
        [-3, this.#publicPoint.y],
      ]),
    )
    const attested = Buffer.concat([Buffer.alloc(16), length, id, publicKey])
    const authData = Buffer.concat([this.#authenticatorData(0x40, mischief), attested])
    const attestation = cbor(
      new Map<string, unknown>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authData],
      ]),
    )
    return {
      ...this.#credential(),
      response: {
        clientDataJSON: this.#clientData('webauthn.create', options.challenge, mischief).toString('base64url'),
        attestationObject: attestation.toString('base64url'),
        transports: ['internal'],
      },
    }
  }

  /** What `navigator.credentials.get` would give. */
  get(options: { challenge: string }, mischief: Mischief = {}) {
    this.counter += 1
    const clientData = this.#clientData('webauthn.get', options.challenge, mischief)
    const authData = this.#authenticatorData(0, mischief)
    const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()])
    return {
      ...this.#credential(),
      response: {
        clientDataJSON: clientData.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: sign('sha256', signed, this.#key).toString('base64url'),
        userHandle: mischief.userHandle ?? this.userHandle,
      },
    }
  }

  #credential() {
    return { id: this.id, rawId: this.id, type: 'public-key' as const, clientExtensionResults: {} }
  }

  #clientData(type: string, challenge: string, mischief: Mischief): Buffer {
    const origin = mischief.origin ?? this.#origin
    return Buffer.from(JSON.stringify({ type, challenge: mischief.challenge ?? challenge, origin, crossOrigin: false }))
  }

  #authenticatorData(more: number, { rpId = this.#rpId, verified = true, counter = this.counter }: Mischief): Buffer {
    const count = Buffer.alloc(4)
    count.writeUInt32BE(counter)
    // Present, verified, and what comes after.
    const flags = 0x01 | (verified ? 0x04 : 0) | more
    return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), count])
  }
}

/** As much of CBOR as an attestation needs: small integers, texts, bytes and maps, in canonical form. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map)
    return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, one]) => [cbor(key), cbor(one)])])
  throw new TypeError(`No CBOR for ${typeof value}`)
}

function head(major: number, count: number): Buffer {
  if (count < 24) return Buffer.from([(major << 5) | count])
  return count < 256
    ? Buffer.from([(major << 5) | 24, count])
    : Buffer.from([(major << 5) | 25, count >> 8, count & 255])
}
