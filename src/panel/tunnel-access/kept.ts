import { z } from 'zod'
import {
  BasicUser,
  GrantedAccess,
  GrantedOidcRule,
  GrantedSignatureRule,
  HeaderRules,
  IpRules,
  Maintenance,
  VisitorLimits,
} from '../../contract/access-rules.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { SettingsParts } from '../tunnels/index.ts'

const Sealed = z.string()

/** The rules of a tunnel as they lie in the database: as an edge gets them, with secrets sealed. */
export const KeptAccess = z.strictObject({
  ip: IpRules.optional(),
  maintenance: Maintenance.optional(),
  limits: VisitorLimits.optional(),
  basic: z.strictObject({ users: z.array(z.strictObject({ name: BasicUser, hash: z.string() })) }).optional(),
  oidc: GrantedOidcRule.extend({ clientSecret: Sealed.nullable(), key: Sealed }).optional(),
  headers: HeaderRules.optional(),
  signature: GrantedSignatureRule.extend({ secret: Sealed }).optional(),
})
export type KeptAccess = z.output<typeof KeptAccess>

/** What secrets of a tunnel's rules are sealed for: text that is moved to another tunnel does not open there. */
export const sealPurpose = (tunnelId: string): string => `access of ${tunnelId}`

/** How what is kept becomes what an edge needs. */
export const accessParts = (sealer: Sealer): Pick<SettingsParts, 'access'> => ({
  access(kept, tunnelId) {
    const { oidc, signature, ...rest } = KeptAccess.parse(kept)
    const open = (sealed: string): string => sealer.open(sealed, sealPurpose(tunnelId)).reveal()
    return GrantedAccess.parse({
      ...rest,
      ...(oidc && {
        oidc: {
          ...oidc,
          key: open(oidc.key),
          clientSecret: oidc.clientSecret === null ? null : open(oidc.clientSecret),
        },
      }),
      ...(signature && { signature: { ...signature, secret: open(signature.secret) } }),
    })
  },
})
