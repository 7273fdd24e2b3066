import type { urlShapes } from '../../contract/api/foreign-edges.ts'
import { Slug, TunnelName } from '../../contract/fields.ts'

type UrlShape = (typeof urlShapes)[number]

/** What decides whose a host name is. */
export interface Naming {
  base: string
  shape: UrlShape
}

/** The part of a host name that says whose tunnel it is; `slug` is null where host names do not say it. */
export interface NamedTunnel {
  name: string
  slug: string | null
}

/** Of `web-acme.tunnels.example.org` on an edge with that base; null for whatever no tunnel of the edge can be called. */
export function tunnelAt({ base, shape }: Naming, host: string): NamedTunnel | null {
  if (!host.endsWith(`.${base}`)) return null
  const label = host.slice(0, -base.length - 1)
  const [name, slug] = split(label, shape)
  if (!TunnelName.safeParse(name).success) return null
  if (slug !== null && !Slug.safeParse(slug).success) return null
  return { name, slug }
}

/** As it is compared: in lower case, without the dot at its end. */
export const plainHost = (host: string): string => host.toLowerCase().replace(/\.$/, '')

/** What the host names of a workspace end in. */
export const suffixOf = ({ base, shape }: Naming, slug: string): string =>
  shape === 'subdomain' ? `${slug}.${base}` : base

function split(label: string, shape: UrlShape): [name: string, slug: string | null] {
  if (shape === 'flat') return [label, null]
  // No slug has a hyphen, so the last one is between the two.
  const at = label.lastIndexOf(shape === 'hyphen' ? '-' : '.')
  return at < 0 ? ['', null] : [label.slice(0, at), label.slice(at + 1)]
}
