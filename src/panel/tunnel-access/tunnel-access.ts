import { randomBytes } from 'node:crypto'
import { hash } from '@node-rs/argon2'
import type { z } from 'zod'
import { basicUsersMax, httpOnlyParts, signInPath } from '../../contract/access-rules.ts'
import type { TunnelAccess as TunnelAccessReply, tunnelAccessOperations } from '../../contract/api/tunnel-access.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Sealer } from '../../lib/seal.ts'
import { Secret } from '../../lib/secret.ts'
import type { WorkspaceMembership } from '../access/index.ts'
import type { Changes, Database, TunnelRow } from '../db/index.ts'
import { saveSettings, type Tunnels } from '../tunnels/index.ts'
import { KeptAccess, sealPurpose } from './kept.ts'
import { keptAccess } from './store.ts'

type Reply = z.input<typeof TunnelAccessReply>
type Change = z.output<typeof tunnelAccessOperations.updateTunnelAccess.body>

export interface TunnelAccessOptions {
  database: Database
  changes: Changes
  clock: Clock
  sealer: Sealer
  tunnels: Pick<Tunnels, 'own' | 'addressesOf'>
}

/** Who may visit tunnels: what people say of it. What holds is kept by the edges. */
export class TunnelAccess {
  readonly #options: TunnelAccessOptions

  constructor(options: TunnelAccessOptions) {
    this.#options = options
  }

  /** Throws `not_found`. */
  async show(workspace: WorkspaceMembership, tunnelId: string): Promise<Reply> {
    const { database, tunnels } = this.#options
    const tunnel = await tunnels.own(workspace.id, tunnelId)
    return this.#describe(tunnel, workspace, await keptAccess(database.kysely, tunnel.id))
  }

  /** Throws `not_found`, and `conflict` for a part that the tunnel's kind has not, or a secret that is not known. */
  update(workspace: WorkspaceMembership, tunnelId: string, change: Change): Promise<Reply> {
    return this.#change(workspace, tunnelId, (kept, tunnel) => {
      const { oidc, signature, ...plain } = change
      const seal = (text: string): string => this.#seal(tunnel.id, text)
      return {
        ...kept,
        ...plain,
        ...(oidc !== undefined && { oidc: oidc && this.#oidc(kept, oidc, seal) }),
        ...(signature !== undefined && { signature: signature && signatureOf(kept, signature, seal) }),
      }
    })
  }

  /** Throws `not_found`, and `conflict` when there are as many as there may be. */
  async putUser(workspace: WorkspaceMembership, tunnelId: string, name: string, password: string): Promise<Reply> {
    // Only for somebody who may: a hash is dear.
    await this.show(workspace, tunnelId)
    const made = await hash(password, argon2Options)
    return this.#change(workspace, tunnelId, (kept, tunnel) => {
      const others = (kept.basic?.users ?? []).filter((user) => user.name !== name)
      if (others.length >= basicUsersMax)
        throw conflict(
          `Tunnel ${tunnel.name} has ${basicUsersMax} passwords, the most there may be. Take one away first.`,
        )
      return { ...kept, basic: { users: [...others, { name, hash: made }] } }
    })
  }

  /** Throws `not_found`. */
  deleteUser(workspace: WorkspaceMembership, tunnelId: string, name: string): Promise<Reply> {
    return this.#change(workspace, tunnelId, (kept) => {
      const users = kept.basic?.users ?? []
      if (!users.some((user) => user.name === name)) throw notFound(`Visitor ${name}`)
      return { ...kept, basic: { users: users.filter((user) => user.name !== name) } }
    })
  }

  /** Throws `not_found`, and `conflict` where nobody signs in. */
  endSessions(workspace: WorkspaceMembership, tunnelId: string): Promise<Reply> {
    return this.#change(workspace, tunnelId, (kept, tunnel) => {
      if (!kept.oidc) throw conflict(`Nobody signs in to tunnel ${tunnel.name}: it has no sign-in.`)
      return { ...kept, oidc: { ...kept.oidc, key: this.#seal(tunnel.id, newKey()) } }
    })
  }

  async #change(
    workspace: WorkspaceMembership,
    tunnelId: string,
    next: (kept: KeptAccess, tunnel: TunnelRow) => Record<string, unknown>,
  ): Promise<Reply> {
    const { database, changes, clock, tunnels } = this.#options
    const tunnel = await tunnels.own(workspace.id, tunnelId)
    const kept = await database.transact(async (trx) => {
      const parts = Object.entries(next(await keptAccess(trx, tunnel.id), tunnel)).filter(
        ([, part]) => part !== null && part !== undefined,
      )
      const after = KeptAccess.parse(Object.fromEntries(parts))
      const part = tunnel.kind === 'http' ? undefined : httpOnlyParts.find((one) => after[one] !== undefined)
      if (part !== undefined)
        throw conflict(
          `Tunnel ${tunnel.name} does not carry HTTP that the edge could read, so it cannot have "${part}". Networks, limits and maintenance are what it can have.`,
        )
      await saveSettings(trx, tunnel.id, 'access', parts.length === 0 ? null : after, clock.now())
      return after
    })
    await changes.publish({ of: 'tunnel', id: tunnel.id })
    return this.#describe(tunnel, workspace, kept)
  }

  #oidc(kept: KeptAccess, { clientSecret, ...rule }: NonNullable<Change['oidc']>, seal: (text: string) => string) {
    const before = kept.oidc?.issuer === rule.issuer && kept.oidc.clientId === rule.clientId ? kept.oidc : undefined
    if (clientSecret === undefined && kept.oidc && !before)
      throw conflict(
        'The client secret of another provider or client is not kept for this one. Give clientSecret, or null.',
      )
    const secret = clientSecret === undefined ? (before?.clientSecret ?? null) : clientSecret && seal(clientSecret)
    // Whoever has signed in stays signed in, as far as the new rule lets them.
    return { ...rule, clientSecret: secret, key: kept.oidc?.key ?? seal(newKey()) }
  }

  #seal(tunnelId: string, text: string): string {
    return this.#options.sealer.seal(new Secret(text), sealPurpose(tunnelId))
  }

  #describe(tunnel: TunnelRow, { slug }: WorkspaceMembership, kept: KeptAccess): Reply {
    const { ip, maintenance, limits, basic, oidc, headers, signature } = kept
    const describeOidc = (rule: NonNullable<KeptAccess['oidc']>): Reply['oidc'] => {
      const { key: _key, clientSecret, ...rest } = rule
      const redirectUris = this.#options.tunnels
        .addressesOf(tunnel, slug)
        .filter((address) => /^https?:/.test(address))
        .map((address) => `${address}${signInPath}`)
      return { ...rest, confidential: clientSecret !== null, redirectUris }
    }
    const describeSignature = ({ secret: _secret, ...rest }: NonNullable<KeptAccess['signature']>) => rest
    return {
      tunnel: tunnel.id,
      ip: ip ?? null,
      maintenance: maintenance ?? null,
      limits: limits ?? null,
      basic: basic ? { users: basic.users.map(({ name }) => name) } : null,
      oidc: oidc ? describeOidc(oidc) : null,
      headers: headers ?? null,
      signature: signature ? describeSignature(signature) : null,
    }
  }
}

function signatureOf(
  kept: KeptAccess,
  { secret, ...rule }: NonNullable<Change['signature']>,
  seal: (text: string) => string,
) {
  const before = kept.signature?.signer === rule.signer ? kept.signature.secret : undefined
  const sealed = secret === undefined ? before : seal(secret)
  if (sealed === undefined) throw conflict(`No secret of ${rule.signer} is kept for this tunnel. Give secret.`)
  return { ...rule, secret: sealed }
}

const newKey = (): string => randomBytes(32).toString('base64url')

/** As passwords of accounts are hashed: argon2id as OWASP recommends it. An edge that is taken over gives nobody a password. */
const argon2Options = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
