import type { WorkspaceLimits } from '../../contract/edge.ts'
import { AppError } from '../../contract/errors.ts'
import { essentialParts, type TunnelSettings } from '../../contract/tunnel-settings.ts'
import type { EdgeReach } from './names.ts'

/**
 * What of a tunnel's settings an edge can be given. An older edge serves without what it does not know, unless that would let in whom the owner keeps
 * out: such a tunnel it must not serve at all, and its agent asks again, perhaps another edge.
 * @throws AppError `rate_limited`
 */
export function understoodSettings(
  { host, understands = [] }: Pick<EdgeReach, 'host' | 'understands'>,
  name: string,
  settings: TunnelSettings,
  limits: WorkspaceLimits | undefined,
): TunnelSettings {
  const needed = essentialParts.filter((part) => settings[part] !== undefined)
  const missing = [...needed, ...(limits?.warningKey === undefined ? [] : ['warning'])].find(
    (part) => !understands.includes(part),
  )
  if (missing !== undefined)
    throw new AppError(
      'rate_limited',
      `The edge ${host} is too old for tunnel ${name}: it does not know "${missing}" and would let everybody in. Upgrade the edge.`,
      { retryAfterSeconds: askAgainSeconds },
    )
  return Object.fromEntries(Object.entries(settings).filter(([part]) => understands.includes(part)))
}

/** An upgrade takes a while. */
const askAgainSeconds = 30
