import { z } from 'zod'
import { AppError } from './errors.ts'
import { Port } from './fields.ts'

/** Where a panel accepts links, and the key that proves it is that panel. */
export const PanelEndpoint = z.strictObject({
  host: z.string().min(1).max(253),
  port: Port,
  pin: z.string().min(1).max(100),
})
export type PanelEndpoint = z.output<typeof PanelEndpoint>

/** Panels of one database: more than anybody runs, and few enough for every node to hold a link to each. */
export const panelsMax = 32

/** What one pasted token carries: where the panel is, how to recognise it, and a secret that works once. */
export const JoinToken = z.strictObject({ panel: PanelEndpoint, secret: z.string().min(1).max(512) })
export type JoinToken = z.output<typeof JoinToken>

const prefix = 'phj_'

export const encodeJoinToken = (token: JoinToken): string =>
  prefix + btoa(JSON.stringify(token)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** Throws `invalid_request` for anything that is not a whole token. */
export function decodeJoinToken(text: string): JoinToken {
  try {
    const body = text.trim()
    if (!body.startsWith(prefix)) throw new Error('prefix')
    return JoinToken.parse(JSON.parse(atob(body.slice(prefix.length).replaceAll('-', '+').replaceAll('_', '/'))))
  } catch (cause) {
    throw new AppError(
      'invalid_request',
      `This is not a whole join token: it begins with ${prefix} and is one line. Copy it again from the panel.`,
      { cause },
    )
  }
}
