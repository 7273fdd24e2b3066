import { appendFileSync, renameSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Signal } from '../../lib/signals.ts'
import { JournalEntry } from './messages.ts'

/** A file this large is put aside for a new one; the one before that is gone. A line has about 100 bytes. */
const fileBytesMax = 1_048_576

/** `pharos logs` shows at most as many. */
export const journalLinesMax = 1_000

/** What has happened, in a file that outlives the agent. */
export class Journal {
  readonly entries = new Signal<JournalEntry>()
  readonly #path: string
  readonly #now: () => number

  constructor(path: string, now: () => number) {
    this.#path = path
    this.#now = now
  }

  /** @param tunnel the name of the one it is about; null where it is about all */
  write(tunnel: string | null, text: string): void {
    const entry = { at: new Date(this.#now()).toISOString(), tunnel, text }
    try {
      if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) > fileBytesMax)
        renameSync(this.#path, `${this.#path}.1`)
      appendFileSync(this.#path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
    } catch {
      // A full disk takes the journal, not the tunnels.
    }
    this.entries.emit(entry)
  }
}

/** The newest entries of the journal in this file, oldest first, of one tunnel or of all. Lines that are damaged are left out. */
export async function readJournal(path: string, count: number, tunnel: string | null): Promise<JournalEntry[]> {
  const files = await Promise.all([`${path}.1`, path].map((file) => readFile(file, 'utf8').catch(() => '')))
  return files
    .join('')
    .split('\n')
    .flatMap((line) => {
      if (line === '') return []
      try {
        const entry = JournalEntry.safeParse(JSON.parse(line))
        return entry.success && isAbout(entry.data, tunnel) ? [entry.data] : []
      } catch {
        return []
      }
    })
    .slice(-count)
}

/** What is about all tunnels is about each. */
export const isAbout = (entry: JournalEntry, tunnel: string | null): boolean =>
  tunnel === null || entry.tunnel === null || entry.tunnel === tunnel
