import type { Client } from '../../client/index.ts'
import type { nodeSftpOperations, SftpVerdict } from '../../contract/node-sftp.ts'
import { newId } from '../../lib/ids.ts'
import type { Change } from '../db/index.ts'
import type { LiveNode } from '../nodes/index.ts'
import type { Claim, Standing } from './standing.ts'

/** One session at a node, as this panel watches over it. */
export class Watched {
  readonly id = newId('sftp')
  readonly claim: Claim
  readonly node: LiveNode
  readonly address: string
  readonly #client: Client<typeof nodeSftpOperations>
  readonly #standing: () => Promise<Standing | { refused: string }>
  #last: Standing
  #told: string
  #working: Promise<void> | null = null
  #again = false

  constructor(options: {
    claim: Claim
    node: LiveNode
    address: string
    client: Client<typeof nodeSftpOperations>
    standing: Standing
    ask(): Promise<Standing | { refused: string }>
  }) {
    this.claim = options.claim
    this.node = options.node
    this.address = options.address
    this.#client = options.client
    this.#last = options.standing
    this.#told = told(options.standing)
    this.#standing = options.ask
  }

  get standing(): Standing {
    return this.#last
  }

  /** Whether a change may take something away from it, or give it something. */
  concerns(change: Change): boolean {
    switch (change.of) {
      case 'user':
        return change.id === this.claim.userId
      case 'member':
        return change.userId === this.claim.userId
      case 'server':
        return change.id === this.claim.serverId
      case 'subuser':
        return change.serverId === this.claim.serverId
      case 'workspace':
      case 'token':
        return true
      default:
        return false
    }
  }

  /** Looks at it again, and tells the node what has changed. Resolves to false when it is over. Of many at once the last is enough. */
  async recheck(): Promise<boolean> {
    let alive = true
    this.#again = true
    this.#working ??= (async () => {
      try {
        while (this.#again && alive) {
          this.#again = false
          alive = await this.#judge()
        }
      } finally {
        this.#working = null
      }
    })()
    await this.#working
    return alive
  }

  async #judge(): Promise<boolean> {
    const standing = await this.#standing()
    if ('refused' in standing) {
      await this.#tell({ verdict: 'ended', reason: standing.refused })
      return false
    }
    this.#last = standing
    if (told(standing) === this.#told) return true
    this.#told = told(standing)
    await this.#tell({ verdict: 'permitted', permissions: [...standing.permissions] })
    return true
  }

  async #tell(body: SftpVerdict): Promise<void> {
    try {
      await this.#client.judgeSftp({ params: { session: this.id }, body })
    } catch (error) {
      // A node that cannot be told must not go on as before: it comes back, and each session is looked at anew.
      if (!this.node.signal.aborted) this.node.link.close('The node does not take what SFTP sessions may do.')
      if (!this.node.signal.aborted) throw error
    }
  }
}

const told = ({ permissions }: Standing): string => [...permissions].sort().join(' ')
