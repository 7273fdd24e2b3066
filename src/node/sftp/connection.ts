import type { Socket } from 'node:net'
import ssh2, { type AuthContext, type ServerChannel, type Connection as SshConnection } from 'ssh2'
import type { SftpAnswer } from '../../contract/node-sftp.ts'
import type { Log } from '../../lib/log.ts'
import type { ServerFiles } from '../files/server-files.ts'
import { serveChannel } from './channel.ts'
import type { Door, Doors } from './doors.ts'
import type { Growths } from './growth.ts'
import {
  attemptsMax,
  bufferedBytesMax,
  channelsMax,
  idleMs,
  keysOfferedMax,
  signInMs,
  triesMax,
  wrongDelayMs,
} from './limits.ts'
import { Malformed } from './packets.ts'
import { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

export interface ConnectionWorld {
  doors: Doors
  sessions: Sessions
  filesOf(server: string): Promise<ServerFiles>
  growths: Growths
  /** Somebody is in: the connection is no stranger's any more. */
  admitted(): void
  log: Log
}

/** What one client is let do: prove who it is, a few times, and then speak SFTP. Nothing else that SSH can is offered. */
export class Connection {
  readonly #client: SshConnection
  readonly #socket: Socket
  readonly #address: string
  readonly #world: ConnectionWorld
  readonly #signInTimer: NodeJS.Timeout
  #idleTimer: NodeJS.Timeout | undefined
  #session: Session | null = null
  #attempts = 0
  #tries = 0
  #offered = 0
  #channels = 0
  readonly #serving = new Set<ServerChannel>()

  constructor(client: SshConnection, socket: Socket, address: string, world: ConnectionWorld) {
    this.#client = client
    this.#socket = socket
    this.#address = address
    this.#world = world
    this.#signInTimer = setTimeout(() => this.#end('nobody has signed in'), signInMs)
    client.on('error', (error) => world.log.debug({ address, err: error }, 'an SFTP client was not understood'))
    client.on('authentication', (attempt) => {
      this.#authenticate(attempt).catch((error: unknown) => this.#fail(error))
    })
    client.on('session', (accept, reject) => {
      if (this.#channels >= channelsMax || !this.#session) return void reject()
      this.#channels += 1
      const channels = accept()
      channels.on('close', () => {
        this.#channels -= 1
      })
      channels.on('subsystem', (take: () => ServerChannel | undefined, refuse, { name }) => {
        if (name === 'sftp') void this.#serve(take())
        else refuse()
      })
      channels.on('exec', (take) => tellWhatIsOffered(take()))
      channels.on('shell', (take) => tellWhatIsOffered(take()))
    })
    // After SSH has taken what it can: who sends more than was asked for, or takes no replies, is let go of.
    socket.on('data', () => {
      if (socket.writableLength > bufferedBytesMax || this.#isFlooded()) socket.destroy()
    })
    socket.once('close', () => {
      clearTimeout(this.#signInTimer)
      clearTimeout(this.#idleTimer)
      this.#session?.end('The client has left.')
    })
  }

  async #authenticate(attempt: AuthContext): Promise<void> {
    this.#attempts += 1
    if (this.#attempts > attemptsMax) return this.#end('too many attempts')
    switch (attempt.method) {
      case 'password':
        return this.#decide(attempt, await this.#ask({ type: 'password', password: attempt.password }, attempt))
      case 'publickey':
        return this.#byKey(attempt)
      case 'keyboard-interactive':
        return this.#byQuestions(attempt)
      default:
        return attempt.reject([...methods])
    }
  }

  async #byKey(attempt: Extract<AuthContext, { method: 'publickey' }>): Promise<void> {
    const { key, signature, blob, hashAlgo } = attempt
    this.#offered += 1
    if (this.#offered > 2 * keysOfferedMax) return this.#end('too many keys')
    if (!keyTypes.has(key.algo)) return attempt.reject([...methods])
    const proven = signature !== undefined
    if (proven) {
      const parsed = ssh2.utils.parseKey(key.data)
      if (parsed instanceof Error || parsed.verify(blob ?? Buffer.alloc(0), signature, hashAlgo) !== true)
        return this.#refuse(attempt)
    }
    const found = await this.#ask({ type: 'key', key: key.data.toString('base64'), proven }, attempt)
    if (found.answer.outcome === 'sign' && !proven) return attempt.accept()
    if (found.answer.outcome === 'admitted' && proven) return this.#decide(attempt, found)
    attempt.reject([...methods])
  }

  /** The password, and a code of the second factor where there is one. */
  async #byQuestions(attempt: Extract<AuthContext, { method: 'keyboard-interactive' }>): Promise<void> {
    const [password] = await this.#prompt(attempt, { prompt: 'Password: ', echo: false })
    if (password === undefined) return
    const found = await this.#ask({ type: 'password', password }, attempt)
    if (found.answer.outcome !== 'code') return this.#decide(attempt, found)
    const { challenge } = found.answer
    const [code] = await this.#prompt(attempt, { prompt: 'Code of the authenticator app: ', echo: true })
    if (code === undefined) return
    return this.#decide(attempt, await this.#ask({ type: 'code', challenge, code }, attempt))
  }

  /** Empty where the client tries something else meanwhile. */
  #prompt(
    attempt: Extract<AuthContext, { method: 'keyboard-interactive' }>,
    question: { prompt: string; echo: boolean },
  ): Promise<string[]> {
    return new Promise((resolve) => {
      attempt.once('abort', () => resolve([]))
      attempt.prompt([question], 'Pharos', '', (answers: unknown) => {
        // An error where it was given up, which the types do not say.
        resolve(Array.isArray(answers) && answers.length === 1 ? [String(answers[0]).slice(0, 1024)] : [])
      })
    })
  }

  async #ask(
    how: { type: 'password'; password: string } | { type: 'code'; challenge: string; code: string } | KeyOffer,
    { username }: AuthContext,
  ): Promise<{ answer: SftpAnswer; door: Door | null }> {
    const text = 'password' in how ? how.password : 'code' in how ? how.code : ''
    if (username.length > 300 || text.length > (how.type === 'code' ? 64 : 1024))
      return { answer: { outcome: 'refused', message: 'too long' }, door: null }
    return this.#world.doors.ask({ ...how, user: username, address: this.#address })
  }

  async #decide(attempt: AuthContext, { answer, door }: { answer: SftpAnswer; door: Door | null }): Promise<void> {
    if (answer.outcome !== 'admitted' || !door) {
      // The password was right: no delay, and it can be asked for with the code.
      if (answer.outcome === 'code') {
        this.#tries += 1
        if (this.#tries >= triesMax) return this.#end('the password alone is not enough')
        return attempt.reject(['keyboard-interactive', 'publickey'])
      }
      this.#world.log.info({ address: this.#address, why: answer }, 'an SFTP client was not let in')
      return this.#refuse(attempt)
    }
    const session = new Session(answer, this.#address, door)
    if (this.#gone || !this.#world.sessions.add(session)) {
      session.end('too many sessions of one account')
      return this.#end('too many sessions of one account')
    }
    this.#session = session
    session.signal.addEventListener('abort', () => this.#end(String(session.signal.reason)), { once: true })
    clearTimeout(this.#signInTimer)
    this.#world.admitted()
    this.#active()
    attempt.accept()
  }

  /** After a while, so that guessing takes one. */
  async #refuse(attempt: AuthContext): Promise<void> {
    this.#tries += 1
    await new Promise((resolve) => setTimeout(resolve, wrongDelayMs))
    if (this.#gone) return
    if (this.#tries >= triesMax) return this.#end('too many wrong attempts')
    attempt.reject([...methods])
  }

  async #serve(channel: ServerChannel | undefined): Promise<void> {
    const session = this.#session
    if (!channel || !session) return
    this.#serving.add(channel)
    try {
      const files = await this.#world.filesOf(session.server)
      const { growths, log } = this.#world
      const active = () => this.#active()
      await serveChannel({ channel, socket: this.#socket, session, files, growths, active, log })
      channel.exit(0)
    } catch (error) {
      if (error instanceof Malformed) return this.#end(error.message)
      if (!this.#gone) this.#world.log.warn({ err: error }, 'an SFTP channel broke off')
      channel.exit(1)
    } finally {
      // Clients wait for the other end of a channel to close before they leave.
      channel.end()
      this.#serving.delete(channel)
      session.acts.flush()
    }
  }

  #active(): void {
    if (this.#idleTimer) this.#idleTimer.refresh()
    else this.#idleTimer = setTimeout(() => this.#end('nothing was asked for'), idleMs)
  }

  #isFlooded(): boolean {
    for (const channel of this.#serving) if (channel.readableLength > bufferedBytesMax) return true
    return false
  }

  get #gone(): boolean {
    return this.#socket.destroyed
  }

  #fail(error: unknown): void {
    this.#world.log.error({ err: error }, 'signing in by SFTP failed')
    this.#end('failed')
  }

  #end(why: string): void {
    if (this.#gone) return
    this.#world.log.debug({ address: this.#address, why }, 'an SFTP connection ends')
    this.#client.end()
    // A peer that does not answer must not keep it half open.
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), lingerMs).unref()
  }
}

type KeyOffer = { type: 'key'; key: string; proven: boolean }

/** How long the last bytes may take, in ms. */
const lingerMs = 500

const methods = ['publickey', 'keyboard-interactive', 'password'] as const

/** Not `ssh-rsa`, whose signatures are made with SHA-1. */
const keyTypes: ReadonlySet<string> = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-256',
  'rsa-sha2-512',
])

/** For whoever tried `ssh`, `rsync` or the old protocol of `scp`: nothing is run here. */
function tellWhatIsOffered(channel: ServerChannel | undefined): void {
  if (!channel) return
  channel.stderr.write(
    'This server takes SFTP and runs no programs: use sftp, scp (without -O), rclone, or a file manager.\r\n',
  )
  channel.exit(1)
  channel.end()
}
