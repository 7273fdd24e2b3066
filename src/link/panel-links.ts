import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { PanelEndpoint, panelsMax } from '../contract/join-token.ts'
import { writeFileAtomic } from '../lib/fs.ts'
import type { Log } from '../lib/log.ts'
import { Queue } from '../lib/queue.ts'
import type { KeptLink } from './keep.ts'

export interface PanelLinksOptions {
  /** Those that the settings name: always dialled, at the address that they give. */
  configured: readonly PanelEndpoint[]
  /** Keeps those that panels have told of, so that one of them is enough after a restart. */
  file: string
  /** Opens the link to one. */
  keep(panel: PanelEndpoint): KeptLink
  log: Log
}

/** A link to every panel, whichever of them was named first. A panel is known by the pin of its key. */
export class PanelLinks implements AsyncDisposable {
  readonly #options: PanelLinksOptions
  readonly #links = new Map<string, KeptLink>()
  readonly #puts = new Queue()
  #closed = false

  private constructor(options: PanelLinksOptions) {
    this.#options = options
  }

  static async open(options: PanelLinksOptions): Promise<PanelLinks> {
    const links = new PanelLinks(options)
    await links.#apply(await readPanels(options.file, options.log))
    return links
  }

  /** The configured ones first. */
  all(): KeptLink[] {
    return [...this.#links.values()]
  }

  /** These are all the panels there are, says one of them. */
  put(panels: readonly PanelEndpoint[]): Promise<void> {
    return this.#puts.run(async () => {
      if (this.#closed) return
      await writeFileAtomic(this.#options.file, JSON.stringify(panels))
      await this.#apply(panels)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#puts.idle()
    await Promise.all(this.all().map((link) => link[Symbol.asyncDispose]()))
  }

  async #apply(told: readonly PanelEndpoint[]): Promise<void> {
    const { configured, keep, log } = this.#options
    const wanted = new Map(configured.map((panel) => [addressOf(panel), panel]))
    // What a person has set wins: an address that a panel believes to have may not be reachable from here.
    for (const panel of told) if (!configured.some(({ pin }) => pin === panel.pin)) wanted.set(addressOf(panel), panel)
    const ended: KeptLink[] = []
    for (const [address, link] of this.#links) {
      if (wanted.has(address)) continue
      log.info({ panel: address }, 'there is no such panel any more')
      this.#links.delete(address)
      ended.push(link)
    }
    for (const [address, panel] of wanted) if (!this.#links.has(address)) this.#links.set(address, keep(panel))
    // Not awaited by whoever told: the word may have come over the very link that ends.
    void Promise.all(ended.map((link) => link[Symbol.asyncDispose]()))
  }
}

const addressOf = ({ host, port, pin }: PanelEndpoint): string => `${host}:${port}#${pin}`

async function readPanels(file: string, log: Log): Promise<PanelEndpoint[]> {
  try {
    return z
      .array(PanelEndpoint)
      .max(panelsMax)
      .parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    // The first panel that is linked tells of the others.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ err: error }, 'the list of panels is broken')
    return []
  }
}
