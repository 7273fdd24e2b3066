import { ApiError, type Client, createClient } from '../../client/index.ts'
import { nodeSftpOperations, nodeSftpSockets, type SftpAnswer, type SftpNews } from '../../contract/node-sftp.ts'
import { linkSend, openLinkSocket } from '../../http/index.ts'
import { backoffMs, reconnectBackoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { TokenBuckets } from '../../lib/token-buckets.ts'
import type { Access } from '../access/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { Activity } from '../activity/index.ts'
import type { Change, Changes, Database } from '../db/index.ts'
import type { LiveNode, Nodes } from '../nodes/index.ts'
import { actsPerNode, questionsAtOnceMax, recheckEveryMs, sessionsPerNodeMax } from './limits.ts'
import { signIn } from './sign-in.ts'
import { type Claim, standingOf } from './standing.ts'
import { Watched } from './watch.ts'

export interface SftpOptions {
  db: Database
  changes: Changes
  clock: Clock
  log: Log
  access: Access
  accounts: Accounts
  nodes: Nodes
  activity: Pick<Activity, 'record'>
}

type SftpClient = Client<typeof nodeSftpOperations>
type Asked = Extract<SftpNews, { id: string }>

/** Lets people in at the nodes, and watches over what they may do there for as long as they are in. */
export class Sftp implements AsyncDisposable {
  readonly #options: SftpOptions
  readonly #sessions = new Map<string, Watched>()
  readonly #running = new Set<Promise<void>>()
  readonly #stops: (() => void)[]
  readonly #timer: NodeJS.Timeout
  readonly #rate = new TokenBuckets(actsPerNode)

  constructor(options: SftpOptions) {
    this.#options = options
    const { changes, nodes } = options
    this.#stops = [
      changes.on((change) => this.#recheck(change)),
      changes.gap.on(() => this.#recheck(null)),
      nodes.observe({
        // Not awaited: the node's other events do not wait for people.
        up: async (node) => this.#track(this.#follow(node)),
        down: (node) => {
          for (const session of this.#sessions.values()) if (session.node === node) this.#sessions.delete(session.id)
        },
      }),
    ]
    this.#timer = setInterval(() => this.#recheck(null), recheckEveryMs).unref()
  }

  /** Where a node serves SFTP; null where it does not, or is too old to. */
  async at(node: LiveNode) {
    try {
      return await clientOf(node).sftp({})
    } catch (error) {
      if (error instanceof ApiError && error.code === 'not_found') return null
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    for (const stop of this.#stops) stop()
    // Nodes end what nobody watches over, or give it to another panel.
    await Promise.allSettled([...this.#running])
  }

  async #follow(node: LiveNode): Promise<void> {
    const { clock, log } = this.#options
    const client = clientOf(node)
    const working = new Set<Promise<void>>()
    for (let attempt = 0; !node.signal.aborted; attempt += 1) {
      try {
        for await (const news of await openLinkSocket(node.link, nodeSftpSockets.sftpNews, {}, node.signal)) {
          attempt = 0
          if (!('id' in news)) {
            this.#heard(node, news)
            continue
          }
          const work = this.#respond(node, client, news).catch((error: unknown) => {
            if (!node.signal.aborted) log.warn({ node: node.name, err: error }, 'an SFTP question was not answered')
          })
          const tracked: Promise<void> = work.finally(() => working.delete(tracked))
          working.add(tracked)
          if (working.size >= questionsAtOnceMax) await Promise.race(working)
        }
      } catch (error) {
        if (error instanceof ApiError && error.code === 'not_found') break
        if (!node.signal.aborted) log.warn({ node: node.name, err: error }, 'SFTP news of the node broke off')
      }
      await clock.sleep(backoffMs(attempt, reconnectBackoff), node.signal).catch(() => undefined)
    }
    await Promise.allSettled([...working])
  }

  async #respond(node: LiveNode, client: SftpClient, question: Asked): Promise<void> {
    const { answer, session } = await this.#answer(node, client, question)
    try {
      const { taken } = await client.answerSftp({ params: { question: question.id }, body: answer })
      if (!taken && session) this.#sessions.delete(session.id)
      // What changed while the answer was on its way.
      else if (session) await this.#recheckOne(session)
    } catch (error) {
      if (session) this.#sessions.delete(session.id)
      throw error
    }
  }

  async #answer(
    node: LiveNode,
    client: SftpClient,
    question: Asked,
  ): Promise<{ answer: SftpAnswer; session: Watched | null }> {
    const { db, access, accounts } = this.#options
    let claim: Claim
    if (question.type === 'resume') {
      const { userId, server: serverId, proof } = question
      claim = { userId, serverId, nodeId: node.id, proof }
    } else {
      const signedIn = await signIn({ db, access, accounts }, node.id, question)
      if ('answer' in signedIn) return { answer: signedIn.answer, session: null }
      claim = { ...signedIn, nodeId: node.id }
    }
    const ask = () => standingOf({ access, accounts }, claim)
    const standing = await ask()
    const { address } = question
    if ('refused' in standing) {
      if (question.type !== 'resume') this.#record(claim, null, address, 'sftpSignIn', null, 'forbidden')
      return { answer: { outcome: 'refused', message: standing.refused }, session: null }
    }
    const own = [...this.#sessions.values()].filter((one) => one.node === node)
    if (own.length >= sessionsPerNodeMax)
      return { answer: { outcome: 'later', message: 'Too many sessions on this node.', seconds: 60 }, session: null }
    const session = new Watched({ claim, node, address, client, standing, ask })
    this.#sessions.set(session.id, session)
    if (question.type !== 'resume') this.#record(claim, session, address, 'sftpSignIn', null, null)
    return {
      answer: {
        outcome: 'admitted',
        session: session.id,
        server: claim.serverId,
        userId: claim.userId,
        proof: claim.proof,
        permissions: [...standing.permissions],
      },
      session,
    }
  }

  #heard(node: LiveNode, news: Exclude<SftpNews, { id: string }>): void {
    const session = this.#sessions.get(news.session)
    if (session?.node !== node) return
    if (news.type === 'closed') {
      this.#sessions.delete(session.id)
      return
    }
    for (const { operation, subject, code } of news.acts)
      if (this.#rate.take(node.id, performance.now()))
        this.#record(session.claim, session, session.address, operation, subject, code)
  }

  #record(
    { userId, serverId }: Claim,
    session: Watched | null,
    address: string,
    operation: string,
    subject: string | null,
    code: string | null,
  ): void {
    this.#options.activity.record({
      who: session?.standing.who ?? { userId, email: null, via: null },
      operation,
      permission: permissionOf[operation] ?? null,
      subject,
      serverId,
      workspaceId: session?.standing.workspaceId ?? null,
      address,
      userAgent: 'SFTP',
      code,
    })
  }

  #recheck(change: Change | null): void {
    for (const session of this.#sessions.values())
      if (change === null || session.concerns(change)) this.#track(this.#recheckOne(session))
  }

  async #recheckOne(session: Watched): Promise<void> {
    if (!(await session.recheck())) this.#sessions.delete(session.id)
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'watching over SFTP failed'))
      .finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
  }
}

const clientOf = (node: LiveNode): SftpClient =>
  createClient(nodeSftpOperations, { baseUrl: '', send: linkSend(() => node.link), checkReplies: true })

/** What each act needs, as the log shows it. */
const permissionOf: Readonly<Record<string, string>> = {
  sftpSignIn: 'sftp.connect',
  sftpRead: 'files.read',
  sftpWrite: 'files.write',
  sftpDelete: 'files.delete',
  sftpRename: 'files.write',
  sftpCreateFolder: 'files.write',
  sftpChangeMode: 'files.write',
  sftpLink: 'files.write',
}
