import type { Players } from '../../../contract/node-watching.ts'
import type { GameQuery } from '../../../contract/template.ts'
import type { Clock } from '../../../lib/clock.ts'
import { answerWaitMs } from '../limits.ts'
import { type Answer, harmless } from './answer.ts'
import { askLuanti } from './luanti.ts'
import { askBedrock, askMinecraft } from './minecraft.ts'
import { askQuake3 } from './quake3.ts'
import { askSource } from './source.ts'
import { askTeeworlds } from './teeworlds.ts'

/**
 * Asks the game on this port of this machine who plays. Rejects where it does not answer in time, or in a way that its protocol
 * does not know: whatever listens there, it costs no more than `answerWaitMs` and a quarter of a megabyte.
 */
export async function queryGame(
  kind: GameQuery['kind'],
  port: number,
  { clock, signal, waitMs = answerWaitMs }: { clock: Clock; signal: AbortSignal; waitMs?: number },
): Promise<Players> {
  const began = performance.now()
  const answer = await askers[kind](port, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]))
  return { ...harmless(answer), latencyMs: Math.round(performance.now() - began), at: clock.now() }
}

const askers: Readonly<Record<GameQuery['kind'], (port: number, signal: AbortSignal) => Promise<Answer>>> = {
  minecraft: askMinecraft,
  'minecraft-bedrock': askBedrock,
  source: askSource,
  quake3: askQuake3,
  teeworlds: askTeeworlds,
  luanti: askLuanti,
}
