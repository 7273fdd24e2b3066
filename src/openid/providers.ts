import type { Configuration } from 'openid-client'
import { outgoing, ProviderTrouble } from './outgoing.ts'

/** What a provider has said of somebody who signed in there: ID token and user info together. */
export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string }

/** What a provider knows us as. */
export interface OpenIdClient {
  issuer: string
  clientId: string
  clientSecret: string | null
  scopes: readonly string[]
}

/** A sign-in as it has begun: what the visitor brings back has to fit it. */
export interface BegunSignIn {
  state: string
  nonce: string
  verifier: string
}

/** What a provider says of itself, as far as people setting it up want to see it. */
export interface ProviderFacts {
  authorizationEndpoint: string | null
  tokenEndpoint: string | null
  /** It says who it is when it sends people back (RFC 9207). */
  namesItself: boolean
}

export interface ProvidersOptions {
  /** Which addresses may be asked: whoever names a provider must not reach this network with it. */
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
  async begin(client: OpenIdClient, redirectUri: string, { state, nonce, verifier }: BegunSignIn): Promise<string> {
    const provider = await this.#provider(client)
    const library = await load()
    return library.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: client.scopes.join(' '),
      response_type: 'code',
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    }).href
  }

  /**
   * Takes what the visitor has brought back to the provider, and gets to know who they are.
   * @param back the whole address that they came back to.
   * @param wanted claims that the provider is asked for where its ID token lacks them.
   * @throws ProviderTrouble; any other error: the sign-in is not good.
   */
  async finish(
    client: OpenIdClient,
    back: URL,
    { state, nonce, verifier }: BegunSignIn,
    wanted: readonly string[],
  ): Promise<Claims> {
    const provider = await this.#provider(client)
    const library = await load()
    try {
      const tokens = await library.authorizationCodeGrant(provider, back, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (!claims) throw new Error('the provider has sent no ID token')
      const hasAll = wanted.every((name) => claims[name] !== undefined)
      if (hasAll || provider.serverMetadata().userinfo_endpoint === undefined) return claims
      const more = await library.fetchUserInfo(provider, tokens.access_token, claims.sub)
      return merged(claims, more)
    } catch (error) {
      throw troubleIn(error) ?? error
    }
  }

  /** Asks the provider anew where its endpoints are, whatever is known of it. @throws ProviderTrouble */
  async look(client: OpenIdClient): Promise<ProviderFacts> {
    const key = keyOf(client)
    this.#known.delete(key)
    const metadata = (await this.#provider(client)).serverMetadata()
    return {
      authorizationEndpoint: metadata.authorization_endpoint ?? null,
      tokenEndpoint: metadata.token_endpoint ?? null,
      namesItself: metadata.authorization_response_iss_parameter_supported === true,
    }
  }

  async #provider(client: OpenIdClient): Promise<Configuration> {
    const key = keyOf(client)
    const now = this.#options.now()
    let known = this.#known.get(key)
    if (!known || now >= known.until) {
      known = { asked: this.#discover(client), until: now + discoveredMs }
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
      throw troubleIn(cause) ?? new ProviderTrouble(cause instanceof Error ? cause.message : String(cause))
    }
  }

  async #discover({ issuer: address, clientId, clientSecret: secret }: OpenIdClient): Promise<Configuration> {
    const library = await load()
    const issuer = new URL(address)
    const execute = [library.enableNonRepudiationChecks]
    if (issuer.protocol === 'http:') execute.push(library.allowInsecureRequests)
    const found = await library.discovery(issuer, clientId, undefined, library.None(), {
      [library.customFetch]: outgoing(this.#options.isReachable),
      execute,
      timeout: answerSeconds,
    })
    if (secret === null) return found
    // RFC 8414 §2: basic where nothing is said.
    const ways = found.serverMetadata().token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    const proof = ways.includes('client_secret_basic')
      ? library.ClientSecretBasic(secret)
      : library.ClientSecretPost(secret)
    const provider = new library.Configuration(found.serverMetadata(), clientId, secret, proof)
    provider[library.customFetch] = outgoing(this.#options.isReachable)
    provider.timeout = answerSeconds
    for (const set of execute) set(provider)
    return provider
  }
}

const load = (): Promise<typeof import('openid-client')> => import('openid-client')

/** An address is verified by the very answer that it stands in, not by another one that names another address. */
function merged(claims: Claims, more: Readonly<Record<string, unknown>>): Claims {
  const isOneAddress = claims.email === undefined ? claims.email_verified === undefined : claims.email === more.email
  const both = { ...more, ...claims }
  return isOneAddress ? both : { ...both, email: claims.email, email_verified: claims.email_verified }
}

const keyOf = ({ issuer, clientId, clientSecret }: OpenIdClient): string =>
  JSON.stringify([issuer, clientId, clientSecret])

/** The library wraps what went wrong on the way to the provider. */
function troubleIn(error: unknown): ProviderTrouble | null {
  for (let one = error; one instanceof Error; one = one.cause) {
    if (one instanceof ProviderTrouble) return one
    if (one.name === 'TimeoutError') return new ProviderTrouble(`no answer within ${answerSeconds} seconds`)
  }
  return null
}

/** How long a provider's endpoints are believed, ms: its keys are read again anyway when a new one signs. */
const discoveredMs = 60 * 60_000
/** How soon a provider that could not be asked is asked again, ms. */
const troubleMs = 5_000
/** Some 20 KB each. */
const providersMax = 500
/** Somebody waits for the page. */
const answerSeconds = 10
