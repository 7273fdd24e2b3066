import { z } from 'zod'
import { GrantedAccess } from './access-rules.ts'
import { domainsPerTunnelMax } from './api/domains.ts'
import { CaptureSettings } from './tunnel-capture.ts'

/** A certificate of one host name, perhaps with `*.` before it, in PEM with its chain, and its key. */
export const GrantedCertificate = z.strictObject({
  host: z.string().min(1).max(253),
  certificate: z.string().min(1).max(65_536),
  key: z.string().min(1).max(16_384),
})
export type GrantedCertificate = z.output<typeof GrantedCertificate>

/**
 * How a tunnel treats its visitors, as edges get it: with the grant, and again whenever it changes. Each part is one feature's; a part
 * that is left out does nothing. What people see and change of a part is in `api/`; secrets stand here as the edge needs them.
 */
export const TunnelSettings = z.strictObject({
  /** What is kept of its requests. */
  capture: CaptureSettings.optional(),
  /** Who may visit it, and how. */
  access: GrantedAccess.optional(),
  /** Of its own domains, for visitors who speak TLS; made anew before they end. */
  certificates: z.array(GrantedCertificate).max(domainsPerTunnelMax).optional(),
})
export type TunnelSettings = z.output<typeof TunnelSettings>

/** Without these an edge would let in whom the owner keeps out: one that does not know them must not serve such a tunnel. */
export const essentialParts: readonly (keyof TunnelSettings)[] = ['access']

/** What an edge of this version says that it understands: every part, and the page that some plans put before tunnels. */
export const understoodByEdges: readonly string[] = [...Object.keys(TunnelSettings.shape), 'warning']
