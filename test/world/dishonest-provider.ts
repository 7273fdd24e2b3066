import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

/** What this provider says of somebody, and how; each may be a lie. */
export interface Said {
  /** Claims of the ID token beside or in place of honest ones. */
  claims?: Record<string, unknown>
  /** Signs with a key that it does not publish. */
  otherKey?: boolean
  /** Signs nothing. */
  unsigned?: boolean
  /** The status of its token endpoint. */
  status?: number
  /** Bytes that it answers with there. */
  bytes?: number
}

export interface DishonestProvider extends AsyncDisposable {
  issuer: string
  /** What it says from now on of whoever comes with any code. `nonce`: of the sign-in that was begun. */
  say(nonce: string, said: Said): void
}

/** A provider that says whatever a test wants: providers of the real kind never lie. One client, `pharos`, without a secret. */
export async function startDishonestProvider(): Promise<DishonestProvider> {
  const [own, other] = [await generateKeyPair('RS256'), await generateKeyPair('RS256')]
  const jwks = { keys: [{ ...(await exportJWK(own.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] }
  let nonce = ''
  let said: Said = {}
  const token = async (issuer: string): Promise<string> => {
    const now = Math.floor(Date.now() / 1000)
    const claims = {
      ...{ iss: issuer, aud: 'pharos', sub: 'somebody', nonce, iat: now, exp: now + 300 },
      ...{ email: 'somebody@example.org', email_verified: true },
      ...said.claims,
    }
    if (said.unsigned) return `${part({ alg: 'none' })}.${part(claims)}.`
    const key = said.otherKey ? other.privateKey : own.privateKey
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(key)
  }
  const server = createServer((asked, answer) => {
    const reply = (body: unknown, status = 200): void => {
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (asked.url === '/.well-known/openid-configuration')
      return reply({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['none'],
        authorization_response_iss_parameter_supported: true,
      })
    if (asked.url === '/keys') return reply(jwks)
    if (asked.url !== '/token') return reply({}, 404)
    asked.resume()
    token(issuer).then(
      (id_token) =>
        reply(
          { access_token: 'x'.repeat(said.bytes ?? 10), token_type: 'Bearer', expires_in: 300, id_token },
          said.status,
        ),
      () => answer.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    say(next, words) {
      nonce = next
      said = words
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
