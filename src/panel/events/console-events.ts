import type { ConsoleLine } from '../../contract/node.ts'
import { isoTime } from '../../lib/clock.ts'
import { charsOf } from '../console/index.ts'
import type { Event } from './viewer.ts'

export interface ConsoleEvent {
  event: Event
  /** What it counts as while it waits for a viewer. */
  chars: number
}

/**
 * The events of console lines. A feed hands the same lines to everybody who watches: one event is made of them, and it is
 * serialised once (`SocketChannel.send`), so that another viewer costs neither time nor memory for it.
 */
export class ConsoleEvents {
  readonly #events = new WeakMap<readonly ConsoleLine[], ConsoleEvent>()

  /** @param serverId as the API names it; lines of one feed are of one server. */
  of(serverId: string, lines: readonly ConsoleLine[]): ConsoleEvent {
    const known = this.#events.get(lines)
    if (known) return known
    const made = makeEvent(serverId, lines)
    this.#events.set(lines, made)
    return made
  }
}

function makeEvent(serverId: string, lines: readonly ConsoleLine[]): ConsoleEvent {
  let chars = 0
  // Lines that came together have one time.
  let lastAt: number | null = null
  let lastTime: string | null = null
  const shown = lines.map(({ seq, at, ...content }) => {
    chars += charsOf(content) + lineFrameChars
    if (at !== lastAt) {
      lastAt = at
      lastTime = at === null ? null : isoTime(at)
    }
    return { seq, at: lastTime, ...content }
  })
  return { event: { type: 'console', serverId, lines: shown }, chars }
}

/** What a line costs beyond its text: its number, its time, and the JSON around them. */
const lineFrameChars = 64
