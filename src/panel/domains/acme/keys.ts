import { createPrivateKey, generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto'
import { Secret } from '../../../lib/secret.ts'
import { authorizationHash } from './client.ts'

/** A new key for an account or a certificate, PEM. */
export const newKey = (): Secret =>
  new Secret(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )

export const keyOf = (pem: Secret): KeyObject => createPrivateKey(pem.reveal())

/** A request for a certificate of this name, DER. */
export async function certificateRequest(name: string, key: Secret): Promise<Uint8Array> {
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await x509()
  const request = await Pkcs10CertificateRequestGenerator.create({
    keys: await pairOf(keyOf(key)),
    signingAlgorithm: ecdsa,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
  })
  return new Uint8Array(request.rawData)
}

/** What an edge shows to an authority that validates `host` by TLS-ALPN-01 (RFC 8737 §3), PEM. */
export async function alpnCertificate(
  host: string,
  keyAuthorization: string,
): Promise<{ certificate: string; key: Secret }> {
  const { Extension, SubjectAlternativeNameExtension, X509CertificateGenerator } = await x509()
  const key = newKey()
  const now = Date.now()
  const octets = Buffer.concat([Buffer.from([0x04, 0x20]), authorizationHash(keyAuthorization)])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=acme',
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + dayMs),
    keys: await pairOf(keyOf(key)),
    signingAlgorithm: ecdsa,
    extensions: [
      new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
      new Extension(acmeIdentifier, true, octets),
    ],
  })
  return { certificate: certificate.toString('pem'), key }
}

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** id-pe-acmeIdentifier */
const acmeIdentifier = '1.3.6.1.5.5.7.1.31'

const dayMs = 86_400_000

/** Loaded where it is needed: installations without domains never do. reflect-metadata must come before the library. */
async function x509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

async function pairOf(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const jwk = key.export({ format: 'jwk' })
  const { d: _, ...open } = jwk
  return {
    privateKey: await webcrypto.subtle.importKey('jwk', jwk, ecdsa, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('jwk', open, ecdsa, true, ['verify']),
  }
}
