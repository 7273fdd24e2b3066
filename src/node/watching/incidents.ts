import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Incident, incidentLinesMax } from '../../contract/node-watching.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import { newShortId } from '../../lib/ids.ts'
import { incidentLineCharsMax, incidentsKept } from './limits.ts'

/** What has to be known of an incident to keep it. */
export type NewIncident = Omit<Incident, 'id' | 'lines'> & {
  /** By which a crash that is seen twice is recognised: where the output of its run begins. */
  run: number | null
  lines: readonly string[]
}

/** The last incidents of one server, in its folder, so that they wait for a panel that is away. */
export class Incidents {
  readonly #path: string
  #kept: Kept[] | null = null

  constructor(folder: string) {
    this.#path = join(folder, 'incidents.json')
  }

  /** Oldest first. */
  async all(): Promise<Incident[]> {
    return (await this.#read()).map(({ run: _run, ...incident }) => incident)
  }

  /** Keeps it and lets the oldest go; null where this crash has been kept before. Acts on one server take turns. */
  async add({ run, lines, ...incident }: NewIncident): Promise<Incident | null> {
    const kept = await this.#read()
    if (run !== null && kept.at(-1)?.run === run) return null
    const added = {
      ...incident,
      id: newShortId(),
      lines: lines.slice(-incidentLinesMax).map((line) => line.slice(0, incidentLineCharsMax)),
    }
    const next = [...kept, { ...added, run }].slice(-incidentsKept)
    await writeFileAtomic(this.#path, JSON.stringify(next))
    this.#kept = next
    return added
  }

  async #read(): Promise<Kept[]> {
    if (this.#kept) return this.#kept
    try {
      this.#kept = z.array(Kept).parse(JSON.parse(await readFile(this.#path, 'utf8')))
    } catch (error) {
      // What happened long ago is no reason not to run the server.
      if (
        (error as NodeJS.ErrnoException).code !== 'ENOENT' &&
        !(error instanceof SyntaxError || error instanceof z.ZodError)
      )
        throw error
      this.#kept = []
    }
    return this.#kept
  }
}

const Kept = Incident.extend({ run: z.int().nullable() })
type Kept = z.output<typeof Kept>
