import { z } from 'zod'
import {
  BasicPassword,
  BasicUser,
  HeaderRules,
  IpRules,
  Maintenance,
  NewOidcRule,
  NewSignatureRule,
  OidcRule,
  SignatureRule,
  VisitorLimits,
} from '../access-rules.ts'
import { operation } from '../operation.ts'

export const TunnelAccess = z
  .strictObject({
    tunnel: z.string().meta({ description: 'Its id' }),
    ip: IpRules.nullable(),
    maintenance: Maintenance.nullable(),
    limits: VisitorLimits.nullable(),
    basic: z
      .strictObject({ users: z.array(z.string()) })
      .nullable()
      .meta({ description: 'Who has a password; the passwords are kept as hashes alone' }),
    oidc: OidcRule.nullable(),
    headers: HeaderRules.nullable(),
    signature: SignatureRule.nullable(),
  })
  .meta({ id: 'TunnelAccess' })

const base = { family: 'control', tag: 'Access rules' } as const
const params = z.object({
  tunnel: z.string().meta({ description: 'Its id, such as `tun_4k2j9x0q1m5v7c3d`, or its name' }),
})

export const tunnelAccessOperations = {
  tunnelAccess: operation({
    ...base,
    method: 'GET',
    path: '/tunnels/{tunnel}/access',
    summary: 'Who may visit a tunnel, and how; secrets are never shown',
    access: { workspace: 'tunnels.read' },
    params,
    reply: TunnelAccess,
    errors: ['not_found'],
  }),
  updateTunnelAccess: operation({
    ...base,
    method: 'PATCH',
    path: '/tunnels/{tunnel}/access',
    summary: 'Change who may visit a tunnel; visitors who may not any more are cut within a second',
    description:
      'Each part that is given replaces what there was, null takes it away, parts that are left out stay. Where both passwords and a sign-in are asked for, either will do. Tunnels that do not carry HTTP have networks, limits and maintenance alone.',
    access: { workspace: 'tunnels.open' },
    params,
    body: z
      .strictObject({
        ip: IpRules.nullable(),
        maintenance: Maintenance.nullable(),
        limits: VisitorLimits.nullable(),
        basic: z.null().meta({ description: 'Passwords are set one by one; null takes them all away' }),
        oidc: NewOidcRule.nullable(),
        headers: HeaderRules.nullable(),
        signature: NewSignatureRule.nullable(),
      })
      .partial()
      .refine((body) => Object.keys(body).length > 0, 'say at least one part'),
    reply: TunnelAccess,
    errors: ['not_found', 'conflict'],
  }),
  putAccessUser: operation({
    ...base,
    method: 'PUT',
    path: '/tunnels/{tunnel}/access/users/{user}',
    summary: 'Ask visitors for a password, and give one to this name; one that it had stops at once',
    access: { workspace: 'tunnels.open' },
    params: params.extend({ user: BasicUser }),
    body: z.strictObject({ password: BasicPassword }),
    reply: TunnelAccess,
    errors: ['not_found', 'conflict'],
  }),
  deleteAccessUser: operation({
    ...base,
    method: 'DELETE',
    path: '/tunnels/{tunnel}/access/users/{user}',
    summary: 'Take a visitor’s password away; with the last one nobody gets in by password until it is turned off',
    access: { workspace: 'tunnels.open' },
    params: params.extend({ user: BasicUser }),
    reply: TunnelAccess,
    errors: ['not_found'],
  }),
  endAccessSessions: operation({
    ...base,
    method: 'POST',
    path: '/tunnels/{tunnel}/access/sign-outs',
    summary: 'Sign everybody out who has signed in to a tunnel’s pages; their connections end at once',
    access: { workspace: 'tunnels.open' },
    params,
    reply: TunnelAccess,
    errors: ['not_found', 'conflict'],
  }),
}
