import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

/**
 * Whether a browser may have been led here by another site: by its own address, or by a name of its own that it lets point at this
 * machine (DNS rebinding). Programs send no `Origin`. A page of the panel is reached by the public address that is configured, by an
 * address of the machine, or as `localhost`: no other name can be trusted to be the panel's.
 */
export function isForeignOrigin({ origin, host = '' }: IncomingHttpHeaders, publicOrigin: string | null): boolean {
  if (origin === undefined) return false
  if (origin === publicOrigin) return false
  if (!URL.canParse(origin)) return true
  const { host: from, hostname } = new URL(origin)
  if (from !== host.toLowerCase()) return true
  return hostname !== 'localhost' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0
}
