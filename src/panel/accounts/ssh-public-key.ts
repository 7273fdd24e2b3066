import { createPublicKey, hash } from 'node:crypto'
import { invalidRequest } from '../../contract/errors.ts'
import { sshRsaBitsMax, sshRsaBitsMin } from './limits.ts'

export interface SshPublicKey {
  type: string
  /** `SHA256:…`, as OpenSSH writes it. */
  fingerprint: string
  comment: string
}

/** Reads a line of `~/.ssh/….pub`. Throws `invalid_request` with the next move. */
export function readPublicKey(line: string): SshPublicKey {
  const text = line.trim()
  if (/PRIVATE KEY/.test(text))
    throw refused('is a private key, which nobody else should ever see', 'the line of the file that ends in .pub')
  const [type = '', base64 = '', ...comment] = text.split(/[ \t]+/)
  if (/[\r\n]/.test(text) || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw refused('is not a public SSH key', 'one line such as "ssh-ed25519 AAAA… you@machine"')
  const blob = Buffer.from(base64, 'base64')
  const known = Object.hasOwn(kinds, type) ? kinds[type] : undefined
  if (!known)
    throw refused(
      `is of the type ${JSON.stringify(type.slice(0, 40))}, which is not taken`,
      'a key made by "ssh-keygen -t ed25519"',
    )
  const reader = new Reader(blob)
  if (reader.string()?.toString('latin1') !== type || !known(reader) || !reader.atEnd)
    throw refused('is damaged or too weak', `a whole ${type} key; RSA of at least ${sshRsaBitsMin} bits`)
  return { type, fingerprint: fingerprintOf(blob), comment: comment.join(' ') }
}

/** Of a key as it is sent by a client that signs in. */
export const fingerprintOf = (blob: Uint8Array): string =>
  `SHA256:${hash('sha256', blob, 'base64').replaceAll('=', '')}`

const refused = (problem: string, expected: string): Error => invalidRequest('body.publicKey', problem, expected)

/** What is taken, and what each of them holds beside its type (RFC 4253, 5656, 8709). */
const kinds: Readonly<Record<string, (reader: Reader) => boolean>> = {
  'ssh-ed25519': (reader) => {
    const x = reader.string()
    return x?.length === 32 && isKey({ kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') })
  },
  'ecdsa-sha2-nistp256': ecdsa('nistp256', 'P-256', 32),
  'ecdsa-sha2-nistp384': ecdsa('nistp384', 'P-384', 48),
  'ecdsa-sha2-nistp521': ecdsa('nistp521', 'P-521', 66),
  'ssh-rsa': (reader) => {
    const exponent = reader.positive()
    const modulus = reader.positive()
    if (!exponent || !modulus || exponent.length > 4 || !((exponent.at(-1) ?? 0) & 1)) return false
    const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
    if (bits < sshRsaBitsMin || bits > sshRsaBitsMax) return false
    return isKey({ kty: 'RSA', e: exponent.toString('base64url'), n: modulus.toString('base64url') })
  },
}

function ecdsa(name: string, crv: string, coordinateBytes: number): (reader: Reader) => boolean {
  return (reader) => {
    const curve = reader.string()?.toString('latin1')
    const point = reader.string()
    if (curve !== name || point?.length !== 1 + 2 * coordinateBytes || point[0] !== 4) return false
    const x = point.subarray(1, 1 + coordinateBytes).toString('base64url')
    return isKey({ kty: 'EC', crv, x, y: point.subarray(1 + coordinateBytes).toString('base64url') })
  }
}

/** Whether it is a point of its curve, and the like. */
function isKey(key: Record<string, string>): boolean {
  try {
    createPublicKey({ key, format: 'jwk' })
    return true
  } catch {
    return false
  }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  string(): Buffer | null {
    if (this.#at + 4 > this.#bytes.length) return null
    const length = this.#bytes.readUInt32BE(this.#at)
    const end = this.#at + 4 + length
    if (end > this.#bytes.length) return null
    const value = this.#bytes.subarray(this.#at + 4, end)
    this.#at = end
    return value
  }

  /** A whole number above zero, without the leading zero that keeps it from being negative. */
  positive(): Buffer | null {
    const value = this.string()
    if (!value || value.length === 0 || (value[0] ?? 0) & 0x80) return null
    const digits = value[0] === 0 ? value.subarray(1) : value
    return digits.length === 0 || digits[0] === 0 ? null : digits
  }
}
