import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFileOnce, writeFileAtomic } from '../lib/fs.ts'
import { Secret } from '../lib/secret.ts'

/** The key by which the accepting end of links is recognised. */
export interface LinkIdentity {
  /** PEM, self-signed. */
  certificate: string
  /** PEM, PKCS #8. */
  key: Secret
  /** base64url of the SHA-256 of the SubjectPublicKeyInfo: what diallers are told to expect. */
  pin: string
}

/**
 * The identity kept in `folder` (`key.pem` and `certificate.pem`, 0600), made on first use and then the same for ever.
 * The key alone is the identity: it is created exactly once, also when two processes start at the same moment, and a
 * certificate that is missing or belongs to another key is made anew for it.
 */
export async function loadIdentity(folder: string): Promise<LinkIdentity> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const keyPath = join(folder, 'key.pem')
  const certificatePath = join(folder, 'certificate.pem')
  const pem = await createFileOnce(keyPath, newKey)
  const key = createPrivateKey(pem)
  const publicKey = createPublicKey(key)
  const stored = await readIfThere(certificatePath)
  let certificate = stored
  if (certificate === null || !isFor(certificate, publicKey)) {
    certificate = await selfSigned(key, publicKey)
    await writeFileAtomic(certificatePath, certificate)
  }
  await Promise.all([chmod(keyPath, 0o600), chmod(certificatePath, 0o600)])
  return { certificate, key: new Secret(pem), pin: pinOf(publicKey) }
}

/** base64url of the SHA-256 of a public key's SubjectPublicKeyInfo. */
export function pinOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return null
    throw error
  }
}

const newKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

function isFor(certificate: string, publicKey: KeyObject): boolean {
  try {
    return new X509Certificate(certificate).publicKey.equals(publicKey)
  } catch {
    return false // not a certificate at all: made anew, like a missing one
  }
}

async function selfSigned(key: KeyObject, publicKey: KeyObject): Promise<string> {
  // Loaded here because only a first start makes a certificate; reflect-metadata must come before the library.
  await import('reflect-metadata')
  const { X509CertificateGenerator } = await import('@peculiar/x509')
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const keys = {
    privateKey: await webcrypto.subtle.importKey(
      'pkcs8',
      key.export({ type: 'pkcs8', format: 'der' }),
      algorithm,
      false,
      ['sign'],
    ),
    publicKey: await webcrypto.subtle.importKey(
      'spki',
      publicKey.export({ type: 'spki', format: 'der' }),
      algorithm,
      true,
      ['verify'],
    ),
  }
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=pharos',
    notBefore: new Date('2020-01-01T00:00:00Z'),
    notAfter: never,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys,
  })
  return `${certificate.toString('pem')}\n`
}

/** RFC 5280, 4.1.2.5: a certificate without a well-defined end. The pin, not the date, decides. */
const never = new Date('9999-12-31T23:59:59Z')

const isSystemError = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'code' in error
