import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { Configuration, CustomFetch } from 'openid-client'
import type { GrantedOidcRule } from '../../contract/access-rules.ts'
import { checkedLookup } from '../../http/index.ts'

/** What a provider has said of somebody who signed in there: ID token and user info together. */
export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string }

/** The provider cannot be asked at this moment, or answers what no provider may. The message is for the log. */
export class ProviderTrouble extends Error {}

/** A sign-in as it has begun: what the visitor brings back has to fit it. */
export interface BegunSignIn {
  state: string
  nonce: string
  verifier: string
}

export interface ProvidersOptions {
  /** Which addresses may be asked: an owner of a tunnel names the provider, and must not reach the edge's own network with it. */
  isReachable(address: string): boolean
  now(): number
}

/** OpenID providers, each asked once in a while where its endpoints are. The library is loaded with the first of them. */
export class Providers {
  readonly #options: ProvidersOptions
  /** By issuer and client; least recently used first. */
  readonly #known = new Map<string, { asked: Promise<Configuration>; until: number }>()

  constructor(options: ProvidersOptions) {
    this.#options = options
  }

  /** Where the visitor has to go. @throws ProviderTrouble */
  async begin(rule: GrantedOidcRule, redirectUri: string, { state, nonce, verifier }: BegunSignIn): Promise<string> {
    const provider = await this.#provider(rule)
    const client = await load()
    return client.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: rule.scopes.join(' '),
      response_type: 'code',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    }).href
  }

  /**
   * Takes what the visitor has brought back to the provider, and gets to know who they are.
   * @param back the whole address that they came back to.
   * @throws ProviderTrouble; any other error: the sign-in is not good.
   */
  async finish(rule: GrantedOidcRule, back: URL, { state, nonce, verifier }: BegunSignIn): Promise<Claims> {
    const provider = await this.#provider(rule)
    const client = await load()
    const tokens = await client.authorizationCodeGrant(provider, back, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (!claims) throw new Error('the provider has sent no ID token')
    if (provider.serverMetadata().userinfo_endpoint === undefined || !isMissing(rule, claims)) return claims
    const more = await client.fetchUserInfo(provider, tokens.access_token, claims.sub)
    return { ...more, ...claims }
  }

  async #provider(rule: GrantedOidcRule): Promise<Configuration> {
    const key = JSON.stringify([rule.issuer, rule.clientId, rule.clientSecret])
    const now = this.#options.now()
    let known = this.#known.get(key)
    if (!known || now >= known.until) {
      known = { asked: this.#discover(rule), until: now + discoveredMs }
      this.#known.delete(key)
      this.#known.set(key, known)
      if (this.#known.size > providersMax)
        for (const oldest of this.#known.keys()) {
          this.#known.delete(oldest)
          break
        }
      // It is asked again soon, but not by each visitor.
      const own = known
      own.asked.catch(() => {
        own.until = now + troubleMs
      })
    }
    try {
      return await known.asked
    } catch (cause) {
      throw new ProviderTrouble(cause instanceof Error ? cause.message : String(cause))
    }
  }

  async #discover(rule: GrantedOidcRule): Promise<Configuration> {
    const client = await load()
    const issuer = new URL(rule.issuer)
    const secret = rule.clientSecret
    const execute = [client.enableNonRepudiationChecks]
    if (issuer.protocol === 'http:') execute.push(client.allowInsecureRequests)
    const found = await client.discovery(issuer, rule.clientId, undefined, client.None(), {
      [client.customFetch]: outgoing(this.#options.isReachable),
      execute,
      timeout: answerSeconds,
    })
    if (secret === null) return found
    // RFC 8414 §2: basic where nothing is said.
    const ways = found.serverMetadata().token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const proof = ways.includes('client_secret_basic')
      ? client.ClientSecretBasic(secret)
      : client.ClientSecretPost(secret)
    const provider = new client.Configuration(found.serverMetadata(), rule.clientId, secret, proof)
    provider[client.customFetch] = outgoing(this.#options.isReachable)
    provider.timeout = answerSeconds
    for (const set of execute) set(provider)
    return provider
  }
}

const load = (): Promise<typeof import('openid-client')> => import('openid-client')

/** Many providers say some of it only when they are asked for it: the address, and what the rule asks for. */
const isMissing = (rule: GrantedOidcRule, claims: Claims): boolean =>
  ['email', ...Object.keys(rule.claims)].some((name) => claims[name] === undefined)

/** How long a provider's endpoints are believed, ms: its keys are read again anyway when a new one signs. */
const discoveredMs = 60 * 60_000
/** How soon a provider that could not be asked is asked again, ms. */
const troubleMs = 5_000
/** Some 20 KB each. */
const providersMax = 500
/** Somebody waits for the page. */
const answerSeconds = 10
/** Keys and discovery are a few KB; user info with many groups some dozens. */
const answerBytesMax = 1024 * 1024

/** A `fetch` for the library that reaches no other addresses than it may, follows no redirects, and reads no more than is reasonable. */
function outgoing(isReachable: (address: string) => boolean): CustomFetch {
  return (address, { method, headers, body, signal }) => {
    const url = new URL(address)
    const refused = (): Error =>
      new ProviderTrouble(`${url.host} is not on the public internet: only public addresses are asked`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // An address needs no look-up, so the dialler would not be asked.
    if (isIP(host) && !isReachable(host)) return Promise.reject(refused())
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
        method,
        headers: { ...headers },
        agent: false,
        lookup: checkedLookup(isReachable, refused),
        ...(signal && { signal }),
      })
      request.on('error', reject)
      request.on('response', (answer) => {
        const parts: Buffer[] = []
        let bytes = 0
        answer.on('error', reject)
        answer.on('data', (part: Buffer) => {
          bytes += part.length
          parts.push(part)
          if (bytes > answerBytesMax)
            answer.destroy(new ProviderTrouble(`${url.host} answers with more than ${answerBytesMax} bytes`))
        })
        answer.on('end', () => {
          const fields = new Headers()
          for (const [name, value] of Object.entries(answer.headers))
            if (value !== undefined) fields.set(name, Array.isArray(value) ? value.join(', ') : value)
          const status = answer.statusCode ?? 500
          resolve(
            new Response(status === 204 || status === 304 ? null : Buffer.concat(parts), { status, headers: fields }),
          )
        })
      })
      request.end(
        typeof body === 'string' || body instanceof Uint8Array
          ? body
          : body === null || body === undefined
            ? undefined
            : String(body),
      )
    })
  }
}
