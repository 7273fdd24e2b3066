import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { Port } from '../contract/fields.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import { Queue } from '../lib/queue.ts'
import { Refusal } from './control-plane.ts'

const Reserved = z.strictObject({ version: z.literal(1), ports: z.record(z.string(), Port) })

/**
 * Which port belongs to which tunnel, kept in a file, for an edge without a panel. A reservation is never released: an address
 * that people have written down must not become somebody else's.
 */
export class Reservations {
  readonly #path: string
  readonly #ports: Map<string, number>
  readonly #range: { first: number; last: number }
  readonly #writes = new Queue()

  private constructor(path: string, range: { first: number; last: number }, ports: Map<string, number>) {
    this.#path = path
    this.#range = range
    this.#ports = ports
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
   * The port of a tunnel: the one it has, else the wanted one, else the first free one.
   * @throws Refusal `taken` or `invalid` for a wanted port, `limit` when the range is used up.
   */
  async port(tunnelId: string, wanted: number | undefined): Promise<number> {
    const { first, last } = this.#range
    if (wanted !== undefined && (wanted < first || wanted > last))
      throw new Refusal('invalid', `Port ${wanted} is outside this edge's range ${first}–${last}.`)
    return await this.#writes.run(async () => {
      const own = this.#ports.get(tunnelId)
      if (own !== undefined && (wanted === undefined || wanted === own)) return own
      const used = new Set(this.#ports.values())
      if (wanted !== undefined && used.has(wanted))
        throw new Refusal('taken', `Port ${wanted} belongs to another tunnel. Leave the port out to get a free one.`)
      let port = wanted ?? first
      if (wanted === undefined) while (used.has(port)) port++
      if (port > last) throw new Refusal('limit', `All ports of this edge (${first}–${last}) are reserved.`)
      this.#ports.set(tunnelId, port)
      try {
        await writeFileAtomic(this.#path, `${JSON.stringify({ version: 1, ports: Object.fromEntries(this.#ports) })}\n`)
      } catch (error) {
        if (own === undefined) this.#ports.delete(tunnelId)
        else this.#ports.set(tunnelId, own)
        throw error
      }
      return port
    })
  }
}
