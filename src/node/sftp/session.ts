import type { SftpAct, SftpAnswer, SftpProof } from '../../contract/node-sftp.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import { Acts } from './acts.ts'
import type { Door } from './doors.ts'

type Admission = Extract<SftpAnswer, { outcome: 'admitted' }>

/** Somebody who is in, and what they may do at this moment. */
export class Session {
  /** As the panel that watches over it calls it. */
  id: string
  /** Null while that panel is away. */
  door: Door | null
  readonly server: string
  readonly userId: string
  readonly proof: SftpProof
  readonly address: string
  readonly acts: Acts
  #permissions: ReadonlySet<ServerPermission>
  readonly #ended = new AbortController()

  constructor(admission: Admission, address: string, door: Door) {
    this.id = admission.session
    this.door = door
    this.server = admission.server
    this.userId = admission.userId
    this.proof = admission.proof
    this.address = address
    this.#permissions = new Set(admission.permissions)
    this.acts = new Acts((acts) => this.#tell(acts))
  }

  may(permission: ServerPermission): boolean {
    return !this.signal.aborted && this.#permissions.has(permission)
  }

  permit(permissions: readonly ServerPermission[]): void {
    this.#permissions = new Set(permissions)
  }

  /** Aborted when it has ended, with the reason in words. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Idempotent. */
  end(reason: string): void {
    if (this.signal.aborted) return
    this.#ended.abort(reason)
    this.acts.close()
    this.door?.send({ type: 'closed', session: this.id })
  }

  #tell(acts: SftpAct[]): void {
    this.door?.send({ type: 'acts', session: this.id, acts })
  }
}
