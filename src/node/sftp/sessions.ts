import type { SftpVerdict } from '../../contract/node-sftp.ts'
import type { Door, Doors } from './doors.ts'
import { resumeMs, sessionsPerUserMax } from './limits.ts'
import type { Session } from './session.ts'

/** Everybody who is in on this node. */
export class Sessions {
  readonly #doors: Doors
  readonly #sessions = new Set<Session>()
  #timer: NodeJS.Timeout | undefined

  constructor(doors: Doors) {
    this.#doors = doors
  }

  /** False where the account has too many. It leaves by itself when it ends. */
  add(session: Session): boolean {
    const own = [...this.#sessions].filter(({ userId }) => userId === session.userId)
    if (own.length >= sessionsPerUserMax) return false
    this.#sessions.add(session)
    session.signal.addEventListener('abort', () => this.#sessions.delete(session), { once: true })
    return true
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Idempotent; one that has ended is no longer judged. */
  judge(id: string, verdict: SftpVerdict): void {
    const session = [...this.#sessions].find((one) => one.id === id)
    if (verdict.verdict === 'ended') session?.end(verdict.reason)
    else session?.permit(verdict.permissions)
  }

  endAll(reason: string, server?: string): void {
    for (const session of [...this.#sessions])
      if (server === undefined || session.server === server) session.end(reason)
    if (server === undefined) clearTimeout(this.#timer)
  }

  /** A panel listens: it watches over those whose panel has gone. */
  opened(door: Door): void {
    this.#doors.open(door)
    door.signal.addEventListener('abort', () => this.#closed(door), { once: true })
    void this.#resumeAll()
  }

  #closed(door: Door): void {
    this.#doors.close(door)
    for (const session of this.#sessions) if (session.door === door) session.door = null
    void this.#resumeAll()
    // Nobody tells of what they may no longer do: not for long.
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      for (const session of [...this.#sessions])
        if (session.door === null) session.end('The panel has been away for too long; connect again.')
    }, resumeMs).unref()
  }

  async #resumeAll(): Promise<void> {
    for (const session of [...this.#sessions]) if (session.door === null) await this.#resume(session)
  }

  async #resume(session: Session): Promise<void> {
    const { server, userId, proof, address } = session
    const { answer, door } = await this.#doors.ask({ type: 'resume', server, userId, proof, address })
    if (answer.outcome === 'refused') session.end(answer.message)
    if (answer.outcome !== 'admitted' || !door) return
    // Another panel may have taken it meanwhile, or it has ended: this one need not watch.
    if (session.door !== null || session.signal.aborted || door.signal.aborted) {
      if (!door.signal.aborted) door.send({ type: 'closed', session: answer.session })
      return
    }
    session.id = answer.session
    session.door = door
    session.permit(answer.permissions)
  }
}
