import type { GrantedCertificate } from '../../contract/tunnel-settings.ts'
import type { Sealer } from '../../lib/seal.ts'
import type { Store } from '../db/index.ts'
import { keyPurpose } from './issuance.ts'
import { certificatesOfTunnel, hostsOfTunnel } from './store.ts'

/** What a tunnel gets of the domains that lead to it. */
export interface GrantedDomains {
  hosts: string[]
  certificates: GrantedCertificate[]
}

/** The domains of a tunnel as edges need them, with the keys opened. */
export async function grantedDomains(store: Store, sealer: Sealer, tunnelId: string): Promise<GrantedDomains> {
  const hosts = await hostsOfTunnel(store, tunnelId)
  if (hosts.length === 0) return { hosts, certificates: [] }
  const certificates = await certificatesOfTunnel(store, tunnelId)
  return {
    hosts,
    certificates: certificates.flatMap(({ domain_id: id, name, certificate, key }) =>
      certificate === null || key === null
        ? []
        : [{ host: name, certificate, key: sealer.open(key, keyPurpose(id)).reveal() }],
    ),
  }
}
