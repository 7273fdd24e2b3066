import { z } from 'zod'
import { CaptureSettings } from './tunnel-capture.ts'

/**
 * How a tunnel treats its visitors, as edges get it: with the grant, and again whenever it changes. Each part is one feature's; a part
 * that is left out does nothing. What people see and change of a part is in `api/`; secrets stand here as the edge needs them.
 */
export const TunnelSettings = z.strictObject({
  /** What is kept of its requests. */
  capture: CaptureSettings.optional(),
})
export type TunnelSettings = z.output<typeof TunnelSettings>
