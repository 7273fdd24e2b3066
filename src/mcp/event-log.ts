import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'
import { replayCharsMax, replayMessagesMax } from './limits.ts'

interface Entry {
  number: number
  streamId: string
  message: JSONRPCMessage
  chars: number
}

/** What a session has sent, as far back as its limits reach, for a client that lost its connection and asks for what it missed. */
export class EventLog implements EventStore {
  readonly #entries: Entry[] = []
  #chars = 0
  #last = 0

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const entry = { number: ++this.#last, streamId, message, chars: JSON.stringify(message).length }
    this.#entries.push(entry)
    this.#chars += entry.chars
    while (this.#entries.length > replayMessagesMax || this.#chars > replayCharsMax)
      this.#chars -= this.#entries.shift()?.chars ?? 0
    return idOf(entry)
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return parseId(eventId)?.streamId
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = parseId(lastEventId)
    // Whatever stream it names: there are none here but the session's own.
    for (const entry of [...this.#entries])
      if (entry.streamId === last?.streamId && entry.number > last.number) await send(idOf(entry), entry.message)
    return last?.streamId ?? ''
  }
}

const idOf = ({ number, streamId }: Pick<Entry, 'number' | 'streamId'>): string => `${number}_${streamId}`

function parseId(eventId: string): Pick<Entry, 'number' | 'streamId'> | null {
  const [, number, streamId] = /^([0-9]{1,15})_(.{1,100})$/.exec(eventId) ?? []
  return number === undefined || streamId === undefined ? null : { number: Number(number), streamId }
}
