import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { Port } from '../contract/fields.ts'
import { portsPerTunnelMax } from '../contract/tunnel.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import { Queue } from '../lib/queue.ts'
import { Refusal } from './control-plane.ts'

/** A port by itself is one port. */
const Run = z.union([
  Port.transform((port) => ({ port, ports: 1 })),
  z.strictObject({ port: Port, ports: z.int().min(1).max(portsPerTunnelMax) }),
])
type Run = z.output<typeof Run>

const Reserved = z.strictObject({ version: z.literal(1), ports: z.record(z.string(), Run) })

/**
 * Which port belongs to which tunnel, kept in a file, for an edge without a panel. A reservation is never released: an address
 * that people have written down must not become somebody else's.
 */
export class Reservations {
  readonly #path: string
  readonly #runs: Map<string, Run>
  readonly #range: { first: number; last: number }
  readonly #writes = new Queue()

  private constructor(path: string, range: { first: number; last: number }, runs: Map<string, Run>) {
    this.#path = path
    this.#range = range
    this.#runs = runs
  }

  /** Reads the file; one that exists and cannot be understood is an error, since guessing would hand out other people's ports. */
  static async open(path: string, range: { first: number; last: number }): Promise<Reservations> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{"version":1,"ports":{}}'
      throw error
    })
    const { ports } = Reserved.parse(JSON.parse(text))
    return new Reservations(path, range, new Map(Object.entries(ports)))
  }

  /**
   * The first of a tunnel's ports: those it has, else the wanted ones, else the first free ones.
   * @throws Refusal `taken` or `invalid` for a wanted port, `limit` when the range is used up.
   */
  async ports(tunnelId: string, wanted: { port: number | undefined; ports: number }): Promise<number> {
    const { first, last } = this.#range
    const { ports } = wanted
    if (wanted.port !== undefined && (wanted.port < first || wanted.port + ports - 1 > last))
      throw new Refusal('invalid', `Port ${wanted.port} is outside this edge's range ${first}–${last}.`)
    return await this.#writes.run(async () => {
      const own = this.#runs.get(tunnelId)
      if (own?.ports === ports && (wanted.port === undefined || wanted.port === own.port)) return own.port
      const taken = this.#takenByOthers(tunnelId)
      const port = wanted.port ?? firstRun(this.#range, taken, ports)
      if (port === null) throw new Refusal('limit', `This edge (${first}–${last}) has no ${ports} free ports in a row.`)
      for (let each = port; each < port + ports; each++)
        if (taken.has(each))
          throw new Refusal('taken', `Port ${each} belongs to another tunnel. Leave the port out to get a free one.`)
      this.#runs.set(tunnelId, { port, ports })
      try {
        await writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, ports: Object.fromEntries(this.#runs) })}\n`)
      } catch (error) {
        if (own === undefined) this.#runs.delete(tunnelId)
        else this.#runs.set(tunnelId, own)
        throw error
      }
      return port
    })
  }

  #takenByOthers(tunnelId: string): Set<number> {
    const taken = new Set<number>()
    for (const [id, { port, ports }] of this.#runs)
      if (id !== tunnelId) for (let each = port; each < port + ports; each++) taken.add(each)
    return taken
  }
}

function firstRun({ first, last }: { first: number; last: number }, taken: Set<number>, ports: number): number | null {
  let length = 0
  for (let port = first; port <= last; port++) {
    length = taken.has(port) ? 0 : length + 1
    if (length === ports) return port - ports + 1
  }
  return null
}
