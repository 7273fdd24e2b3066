import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

export interface TestProvider extends AsyncDisposable {
  issuer: string
  /** How often anybody has asked where its endpoints are. */
  discoveries(): number
}

/** Somebody who can sign in there: the login is the part of the address before the @. */
export interface TestPerson {
  email: string
  verified?: boolean
  groups?: string[]
}

/** A real OpenID provider on this machine, with one confidential client. Everybody's password is their login. */
export async function startProvider(
  redirectUris: string[],
  people: Readonly<Record<string, TestPerson>>,
): Promise<TestProvider> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'tunnel',
        client_secret: 'the secret of a client',
        redirect_uris: redirectUris,
        grant_types: ['authorization_code'],
      },
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    scopes: ['openid', 'email', 'groups'],
    cookies: { keys: ['only in tests'] },
    pkce: { required: () => true },
    async findAccount(_context, id) {
      const person = people[id]
      if (!person) return undefined
      const { email, verified = true, groups = [] } = person
      return { accountId: id, claims: async () => ({ sub: id, email, email_verified: verified, groups }) }
    },
  })
  const serve = provider.callback()
  let discoveries = 0
  server.on('request', (asked, answer) => {
    if (asked.url === '/.well-known/openid-configuration') discoveries++
    void serve(asked, answer)
  })
  return {
    issuer,
    discoveries: () => discoveries,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
