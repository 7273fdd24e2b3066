import type { SftpAct } from '../../contract/node-sftp.ts'
import { actsEveryMs, actsWaitingMax } from './limits.ts'

interface Counted {
  act: Omit<SftpAct, 'subject'>
  path: string
  count: number
}

/**
 * What one session does, put together: the same thing done to many files of one folder within some seconds is told once, with
 * how many there were.
 */
export class Acts {
  readonly #tell: (acts: SftpAct[]) => void
  readonly #waiting = new Map<string, Counted>()
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (acts: SftpAct[]) => void) {
    this.#tell = tell
  }

  add(operation: SftpAct['operation'], path: string, code: SftpAct['code'] = null): void {
    const folder = path.slice(0, path.lastIndexOf('/') + 1)
    const key = `${operation} ${code} ${folder}`
    const known = this.#waiting.get(key)
    if (known) {
      known.count += known.path === path ? 0 : 1
      known.path = path
    } else this.#waiting.set(key, { act: { operation, code }, path, count: 1 })
    if (this.#waiting.size >= actsWaitingMax) this.flush()
    else this.#timer ??= setTimeout(() => this.flush(), actsEveryMs).unref()
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.size === 0) return
    const acts = [...this.#waiting.values()].map(
      ({ act, path, count }): SftpAct => ({
        ...act,
        subject: count === 1 ? path : `${path.slice(0, path.lastIndexOf('/') + 1)} (${count} entries)`,
      }),
    )
    this.#waiting.clear()
    this.#tell(acts)
  }

  close(): void {
    this.flush()
  }
}
