import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, conflict } from '../../contract/errors.ts'
import type { ConsoleLine, ServerSpec, ServerState, ServerUsage } from '../../contract/node.ts'
import { type Incident, incidentLinesMax } from '../../contract/node-watching.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import { endRestore, finishSwap, isSwapping } from '../backups/swap.ts'
import { doorPortsOf, sleepingWords } from '../doorman/index.ts'
import type { DebianPackages } from '../install/debian.ts'
import { install } from '../install/installation.ts'
import type { SharedPackages } from '../install/packages.ts'
import type { Quotas } from '../quota/index.ts'
import { type Owner, type Run, type RunEnd, type Runtime, serverFiles } from '../runtime.ts'
import { filesMaxOf } from '../stats/disk.ts'
import { Incidents, type NewIncident } from '../watching/incidents.ts'
import { writeCommand } from './command-pipe.ts'
import { type Console, openConsole } from './console.ts'
import { afterCrash } from './crash-policy.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { exitWords } from './exit-words.ts'
import {
  containerOf,
  environmentOf,
  limitsOf,
  patchFiles,
  sharedOf,
  startCommandOf,
  writeTemplateFiles,
} from './launch-request.ts'
import {
  command,
  observe,
  type Power,
  type PowerAction,
  type PowerEffect,
  type PowerEvent,
  type Transition,
} from './power.ts'
import { readinessOf } from './readiness.ts'
import { readRecord, readSpec, type ServerRecord, writeRecord, writeSpec } from './record.ts'
import { capital, fullDisk, wordsOf } from './words.ts'

/** Changes the files of a stopped server, by way of `swapIn`. Rejects when `signal` aborts, and with an `AppError` that says what went wrong. */
export type RestoreWork = (request: {
  folder: string
  /** Makes what will be in a new folder count as the server's. */
  cover(path: string): Promise<void>
  /** The server's own files, and whom they belong to. */
  data: string
  owner: Owner | null
  progress(words: string): void
  signal: AbortSignal
}) => Promise<void>

/** What a server needs of the node around it. */
export interface ServerOutside {
  runtime: Runtime
  packages: SharedPackages
  quotas: Quotas
  debian: DebianPackages
  clock: Clock
  log: Log
  /** Why this spec's ports cannot be listened on now, or null. Those that are held are kept free for it. */
  whyPortsTaken(spec: ServerSpec, isHeld: (port: number, protocol: 'tcp' | 'udp') => boolean): Promise<string | null>
  /** Bytes in the server's folder, as last measured; null before that. */
  diskBytes(id: string): number | null
  /** The same, measured now. */
  measureDisk(id: string): Promise<number | null>
  changed(state: ServerState): void
  happened(id: string, incident: Incident): void
}

/** A process that survives a kill is tried again after this, in ms. */
const killAgainMs = 10_000

/** An installation's progress is published at most this often, in ms; the console has every line. */
const progressMs = 500

/**
 * One server: performs what `power.ts` decides. Everything happens in one queue, so no two acts overlap; only a kill reaches
 * the processes at once, whatever the queue is waiting for.
 */
export class Server implements AsyncDisposable {
  readonly id: string
  readonly console: Console
  /** What has gone wrong with it. */
  readonly incidents: Incidents
  readonly #folder: string
  readonly #outside: ServerOutside
  readonly #queue = new Queue()
  #spec: ServerSpec
  readonly #record: ServerRecord
  #usage: ServerUsage | null = null
  #run: Run | null = null
  #installing: AbortController | null = null
  #installWork: Promise<void> = Promise.resolve()
  #restore: { work: RestoreWork; stopping: AbortController; done: Promise<void> } | null = null
  #starting: AbortController | null = null
  #timer: AbortController | null = null
  #stopListening: (() => void) | null = null
  readonly #door: Doorkeeper
  /** A killed process has this long until the next try. */
  #killedAt: number | null = null
  #closed = false

  private constructor(
    folder: string,
    spec: ServerSpec,
    record: ServerRecord,
    console: Console,
    outside: ServerOutside,
  ) {
    this.id = spec.id
    this.console = console
    this.incidents = new Incidents(folder)
    this.#folder = folder
    this.#spec = spec
    this.#record = record
    this.#outside = outside
    this.#door = new Doorkeeper({
      queue: this.#queue,
      clock: outside.clock,
      log: outside.log,
      console,
      record,
      spec: () => this.#spec,
      closed: () => this.#closed,
      publish: () => this.#publish(),
      refuseUnstartable: () => this.#refuseUnstartable(),
      wake: (now) => this.#apply(observe(record.power, { type: 'woken' }, now)),
    })
  }

  /** Opens the server whose spec is in `folder`; null when there is none. Nothing of it moves before `recover`. */
  static async open(folder: string, outside: ServerOutside): Promise<Server | null> {
    const spec = await readSpec(folder)
    if (!spec) return null
    const record = (await readRecord(folder)) ?? newRecord(outside.clock.now())
    const console = await openConsole({ folder, clock: outside.clock, log: outside.log })
    return new Server(folder, spec, record, console, outside)
  }

  get spec(): ServerSpec {
    return this.#spec
  }

  /** Whether processes of it may hold its ports. */
  get active(): boolean {
    const { phase } = this.#record.power
    return phase === 'starting' || phase === 'running' || phase === 'stopping'
  }

  /** Whether nobody else can have its ports: processes of it may hold them, or its door does. */
  get holdsPorts(): boolean {
    return this.active || this.#door.listening
  }

  /** Where everything of it is on this machine. */
  get folder(): string {
    return this.#folder
  }

  /** Whether it is stopped for good: nothing runs, installs or restores, and its files are whole. */
  get settled(): boolean {
    return this.#record.power.phase === 'offline' && this.#run === null
  }

  get run(): Run | null {
    return this.#run
  }

  state(): ServerState {
    const { power, lastExit, naps } = this.#record
    const message =
      power.phase === 'sleeping'
        ? (this.#record.message ?? sleepingWords(doorPortsOf(this.#spec)[0]?.speaks ?? null))
        : this.#record.message
    return {
      id: this.id,
      revision: this.#spec.revision,
      // What is known of an unfinished restore is in its message; to everybody else it is a server that does not run.
      phase: power.phase === 'restore_failed' ? 'offline' : power.phase,
      since: power.since,
      message,
      lastExit,
      usage: this.#usage,
      ...(naps.length > 0 ? { naps } : {}),
    }
  }

  setUsage(usage: ServerUsage | null): void {
    this.#usage = usage
  }

  /** Finds out what became of it while this node was not there, and goes on from that. */
  recover(): Promise<void> {
    return this.#queue.run(async () => {
      const { power, run } = this.#record
      const { runtime } = this.#outside
      await this.#holdQuota()
      this.#publish()
      if (power.phase === 'offline' || power.phase === 'install_failed' || power.phase === 'restore_failed')
        return this.#armTimer()
      if (power.phase === 'sleeping') return this.#door.tend()
      if (power.phase === 'restoring') {
        this.#restore = { work: finishRestore, stopping: new AbortController(), done: Promise.resolve() }
        return this.#performRestore()
      }
      if (power.phase === 'installing') {
        await runtime.sweep(this.#folder)
        this.#record.run = null
        return this.#perform('install')
      }
      const found = run ? await runtime.find(this.#folder) : null
      if (!found || !run) {
        // It was decided, but nothing was launched yet.
        this.#record.run = null
        if (power.phase === 'starting') return this.#perform('start')
        return this.#apply(observe(power, { type: 'exited', crashed: false }, this.#now()))
      }
      if ('ended' in found) return this.#recovered(found, run.logPosition)
      await this.#onEnd(found)
      if (found.machineRestarted && (power.phase === 'starting' || power.phase === 'running')) {
        await this.console.note('This machine was restarted')
        await this.#decide('start')
      }
    })
  }

  /** Takes a newer spec. An older one that arrives late changes nothing. */
  put(spec: ServerSpec): Promise<ServerState> {
    return this.#queue.run(async () => {
      if (spec.revision <= this.#spec.revision) return this.state()
      await writeSpec(this.#folder, spec).catch(fullDisk)
      const before = this.#spec
      this.#spec = spec
      if (this.#record.power.phase !== 'restoring') await this.#holdQuota()
      if (this.#run)
        await this.#run.setLimits(limitsOf(spec)).catch((error: unknown) => {
          this.#outside.log.warn({ err: error, server: this.id }, 'limits not changed')
          // The kernel refuses less memory than is in use.
          this.#record.message = 'Its new limits hold from its next start: they could not be set while it runs'
        })
      // Nothing runs during a restore, and nothing starts afterwards.
      if ((spec.suspended || spec.held) && this.#record.power.phase !== 'restoring') await this.#decide('stop')
      const { power } = this.#record
      const awake = observe(power, { type: 'wake-off' }, this.#now())
      if (!spec.wake && awake.next !== power) await this.#apply(awake)
      else this.#door.specChanged(before)
      this.#publish()
      return this.state()
    })
  }

  /** Accepts or refuses at once; what follows is told by states. */
  power(action: Exclude<PowerAction, object>): Promise<ServerState> {
    if (action === 'kill') this.#killNow()
    return this.#queue.run(async () => {
      if (action === 'start' || action === 'restart' || action === 'reinstall') this.#refuseSuspended()
      const { phase } = this.#record.power
      if ((phase === 'offline' || phase === 'sleeping') && (action === 'start' || action === 'restart'))
        await this.#refuseUnstartable()
      await this.#decide(action)
      return this.state()
    })
  }

  /** Stops or kills it if it runs. The reason stays its message until it starts again, and is in its console. */
  endFor(how: 'stop' | 'kill', why: string): Promise<void> {
    return this.#queue.run(async () => {
      if (!this.active) return
      this.#record.message = why
      await this.console.note(why)
      await this.#decide(how)
      // Before anybody's next start: whether that may be is decided by what its files take now.
      void this.#queue.run(() => this.#outside.measureDisk(this.id))
    })
  }

  /**
   * It runs and gives no sign of life: that is kept with its incidents, and it is restarted where `restart` says so. False where
   * it does not run any more; nothing is done then.
   */
  hung(why: string, restart: boolean): Promise<boolean> {
    return this.#queue.run(async () => {
      if (this.#closed || this.#record.power.phase !== 'running') return false
      this.#record.message = why
      await this.console.note(why)
      await this.#incident({ kind: 'hang', at: this.#now(), message: why, restarts: restart, run: null, ...noExit })
      if (restart) await this.#decide('restart')
      else this.#publish()
      return true
    })
  }

  /** Nobody uses it: it sleeps until somebody comes. Nothing is done where it does not run any more, or shall not sleep. */
  fallAsleep(why: string): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#closed || this.#record.power.phase !== 'running' || !this.#spec.wake) return
      this.#door.nap('slept', why, null)
      await this.console.note(`${why}: it goes to sleep`)
      await this.#apply(observe(this.#record.power, { type: 'idle' }, this.#now()))
    })
  }

  /**
   * Of a server that wakes on connect, while it sleeps or starts: resolves once it runs, rejects where it does not come. Null
   * otherwise. A game that names no line by which it is known to be ready counts as coming for a moment after its start.
   */
  comingUp(): Promise<void> | null {
    const { power } = this.#record
    const { clock } = this.#outside
    if (!this.#spec.wake) return null
    switch (power.phase) {
      case 'sleeping':
      case 'starting':
        return this.#door.coming()
      case 'running':
        if (this.#spec.template.start.ready !== undefined) return null
        return this.#now() - power.since < settlingMs ? clock.sleep(settlingLookMs) : null
      case 'installing':
      case 'install_failed':
      case 'offline':
      case 'restoring':
      case 'restore_failed':
      case 'stopping':
        return null
    }
  }

  /** Says why it is not put to sleep although somebody wants that. */
  cannotSleep(why: string): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#closed || this.#record.power.phase !== 'running') return
      this.#record.message = why
      await this.console.note(why)
      this.#publish()
    })
  }

  /**
   * Lets `work` change the files of the stopped server, which cannot start before that has ended. Resolves once it has begun;
   * throws `conflict` where it may not. A restore that fails or is cut off leaves the server unable to start until another one has succeeded.
   */
  restore(backup: string, work: RestoreWork): Promise<ServerState> {
    return this.#queue.run(async () => {
      this.#refuseSuspended()
      const result = command(this.#record.power, { restore: backup }, this.#now())
      if ('refused' in result) throw conflict(`Server ${this.#spec.name} cannot be restored now: ${result.refused}`)
      await this.#outside.runtime.sweep(this.#folder)
      this.#restore = { work, stopping: new AbortController(), done: Promise.resolve() }
      await this.#apply(result)
      return this.state()
    })
  }

  async command(text: string): Promise<void> {
    if (!this.#run || !this.active)
      throw conflict(`Server ${this.#spec.name} is not running; start it before sending commands`)
    await writeCommand(join(this.#folder, serverFiles.input), text)
  }

  /** Ends everything of it. Afterwards its folder may be removed. */
  async end(): Promise<void> {
    this.#closed = true
    await this.#door[Symbol.asyncDispose]()
    this.#killNow()
    this.#timer?.abort()
    this.#installing?.abort()
    this.#restore?.stopping.abort()
    await this.#installWork
    await this.#restore?.done
    await this.#queue.run(async () => {
      await this.#run?.kill()
      await this.#run?.ended
      await this.#outside.runtime.sweep(this.#folder)
      const { runtime, quotas } = this.#outside
      if (quotas.refused === null)
        await quotas.remove({ folder: this.#folder, owner: await runtime.prepare(this.#folder) })
    })
    await this[Symbol.asyncDispose]()
  }

  /** Lets go of it; its processes go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#timer?.abort()
    this.#starting?.abort()
    this.#installing?.abort()
    this.#restore?.stopping.abort()
    this.#stopListening?.()
    await this.#door[Symbol.asyncDispose]()
    await this.#installWork
    await this.#restore?.done
    await this.#queue.idle()
    this.#run?.forget()
    this.#timer?.abort()
    await this.console[Symbol.asyncDispose]()
  }

  #killNow(): void {
    this.#starting?.abort()
    this.#run?.kill().catch((error: unknown) => this.#outside.log.error({ err: error, server: this.id }, 'kill failed'))
  }

  async #decide(action: Exclude<PowerAction, object>): Promise<void> {
    const result = command(this.#record.power, action, this.#now())
    if ('refused' in result) throw conflict(`Server ${this.#spec.name} cannot ${action} now: ${result.refused}`)
    await this.#apply(result)
  }

  /** Records the transition before its effects; these follow in the queue, so that who asked need not wait for them. */
  async #apply({ next, effects }: Transition): Promise<void> {
    const before = this.#record.power
    const began = next.phase !== before.phase
    if (before.phase === 'starting' && next.phase === 'running') this.#record.lastStartMs = this.#now() - before.since
    this.#record.power = next
    if (began && (next.phase === 'starting' || next.phase === 'installing' || next.phase === 'restoring'))
      this.#record.message = null
    if (began) this.#killedAt = null
    // What has happened has happened, also when it cannot be written down; the files of the run tell it again.
    await this.#save().catch((error: unknown) =>
      this.#outside.log.error({ err: error, server: this.id }, 'state not saved'),
    )
    this.#armTimer()
    this.#door.tend()
    this.#publish()
    for (const effect of effects) void this.#queue.run(() => this.#performSafely(effect))
  }

  #observe(event: PowerEvent): Promise<void> {
    return this.#queue.run(async () => {
      if (!this.#closed) await this.#apply(observe(this.#record.power, event, this.#now()))
    })
  }

  async #performSafely(effect: PowerEffect): Promise<void> {
    if (this.#closed) return
    try {
      await this.#perform(effect)
    } catch (error) {
      this.#outside.log.error({ err: error, server: this.id, effect }, 'a step failed')
      this.#record.message = wordsOf(error)
      this.#publish()
    }
  }

  async #perform(effect: PowerEffect): Promise<void> {
    const { power } = this.#record
    switch (effect) {
      case 'install':
        return this.#install()
      case 'cancel-install':
        this.#installing?.abort()
        return
      case 'restore':
        return this.#performRestore()
      case 'start':
        if (power.phase === 'starting') return this.#start()
        // It was ended before anything of it began: nobody else will say that it has.
        if (power.phase === 'stopping' && !this.#run)
          return this.#apply(observe(power, { type: 'exited', crashed: false }, this.#now()))
        return
      case 'ask-to-stop':
        return power.phase === 'stopping' ? this.#askToStop() : undefined
      case 'kill':
        this.#killedAt = this.#now()
        this.#killNow()
        this.#armTimer()
        return
      case 'consider-restart':
        return this.#considerRestart()
    }
  }

  async #start(): Promise<void> {
    const starting = new AbortController()
    this.#starting = starting
    try {
      await this.#refuseUnstartable()
      await this.#holdQuota({ adopt: true })
      const { runtime, packages } = this.#outside
      const { template } = this.#spec
      const container = containerOf(this.#spec)
      if (container) await this.#provide(container.image, starting.signal)
      if (template.install.npm) await packages.ensure(template.install.npm, () => undefined, starting.signal)
      await writeTemplateFiles(this.#spec, this.#folder, runtime, packages)
      await patchFiles(this.#spec, this.#folder, runtime, packages, (line) => this.console.note(line))
      const logPosition = await this.console.beginRun()
      // From here on a status file can only be that of the new run.
      await rm(join(this.#folder, serverFiles.status), { force: true })
      this.#record.run = { of: 'server', logPosition }
      await this.#save()
      this.#listenForReady()
      this.console.follow(true)
      starting.signal.throwIfAborted()
      // As late as can be: from here on the ports refuse until it listens.
      this.#door.close()
      const run = await runtime.start({
        folder: this.#folder,
        command: startCommandOf(this.#spec, this.#folder, runtime, packages),
        environment: environmentOf(this.#spec, this.#folder, runtime, packages),
        limits: limitsOf(this.#spec),
        shared: sharedOf(this.#spec, packages),
        container,
      })
      this.#attach(run)
      if (starting.signal.aborted && !this.#closed) this.#killNow()
      if (template.start.ready === undefined)
        await this.#apply(observe(this.#record.power, { type: 'ready' }, this.#now()))
    } catch (error) {
      this.#record.run = null
      this.#letGo()
      if (!starting.signal.aborted) await this.#explain(error, 'start')
      await this.#apply(observe(this.#record.power, { type: 'start-failed' }, this.#now()))
    } finally {
      this.#starting = null
    }
  }

  /** A download does not count as a part of the start. */
  async #provide(image: string, signal: AbortSignal): Promise<void> {
    let downloaded = false
    const progress = (line: string): void => {
      downloaded = true
      this.#record.message = line
      void this.console.note(line)
      this.#publish()
    }
    await this.#outside.runtime.provide(image, progress, signal)
    if (!downloaded || this.#record.power.phase !== 'starting') return
    this.#record.power = { phase: 'starting', since: this.#now() }
    this.#record.message = null
    this.#armTimer()
    this.#publish()
  }

  async #askToStop(): Promise<void> {
    const { stop } = this.#spec.template
    if (!this.#run) return
    try {
      if (stop.by === 'command') await writeCommand(join(this.#folder, serverFiles.input), stop.command)
      else await this.#run.signal(stop.signal)
    } catch (error) {
      // It is killed when its time to stop is over.
      this.#outside.log.warn({ err: error, server: this.id }, 'could not ask to stop')
    }
  }

  /** Runs beside the queue: it takes long, and a kill must be able to cancel it. */
  #install(): void {
    const installing = new AbortController()
    this.#installing = installing
    let published = 0
    const progress = (line: string): void => {
      void this.console.note(line)
      this.#record.message = line.slice(0, 300)
      if (this.#now() - published < progressMs) return
      published = this.#now()
      this.#publish()
    }
    const spec = this.#spec
    const { runtime, packages, debian } = this.#outside
    const work = async (): Promise<void> => {
      let event: PowerEvent
      try {
        // Whoever installs anew takes the files as they are.
        await endRestore(this.#folder)
        await this.#holdQuota({ adopt: true })
        await install({
          ...{ spec, folder: this.#folder, runtime, packages, debian, progress },
          signal: installing.signal,
          onRun: (run) => {
            this.#run = run
          },
          beforeRun: async () => {
            this.console.follow(true)
            this.#record.run = { of: 'installation', logPosition: await this.console.beginRun() }
            await this.#save()
          },
        })
        event = { type: 'installed' }
      } catch (error) {
        if (!(error instanceof AppError))
          this.#outside.log.error({ err: error, server: this.id }, 'installation failed')
        event = { type: 'install-failed', why: wordsOf(error) }
      }
      if (this.#closed) return
      await this.console.note(event.type === 'installed' ? 'Installed' : `Installation failed: ${event.why}`)
      await this.#queue.run(async () => {
        if (this.#closed) return
        this.#installing = null
        this.#run = null
        this.#record.run = null
        this.console.follow(false)
        this.#record.message = event.type === 'install-failed' ? event.why : null
        await this.#apply(observe(this.#record.power, event, this.#now()))
      })
    }
    this.#installWork = work().catch((error: unknown) =>
      this.#outside.log.error({ err: error, server: this.id }, 'installation not recorded'),
    )
  }

  /** Runs beside the queue, as an installation does. */
  #performRestore(): void {
    const restore = this.#restore
    const { power } = this.#record
    if (!restore || power.phase !== 'restoring') return
    const { what } = power
    let published = 0
    const progress = (words: string): void => {
      this.#record.message = words
      if (this.#now() - published < progressMs) return
      published = this.#now()
      this.#publish()
    }
    const work = async (): Promise<void> => {
      let why: string | null = null
      try {
        await this.console.note(`Restoring backup ${what}`)
        const owner = await this.#outside.runtime.prepare(this.#folder)
        // One that failed on the way goes on first: its files must not be lost with the folder that they wait in.
        if (restore.work !== finishRestore) await finishSwap(this.#folder, restore.stopping.signal)
        // Until it has ended, old and new are there together.
        await this.#holdQuota({ adopt: true, times: 2 })
        await restore.work({
          folder: this.#folder,
          cover: (path) => this.#outside.quotas.cover({ folder: this.#folder, owner }, path),
          data: join(this.#folder, serverFiles.data),
          owner,
          progress,
          signal: restore.stopping.signal,
        })
      } catch (error) {
        if (!(error instanceof AppError) && !restore.stopping.signal.aborted)
          this.#outside.log.error({ err: error, server: this.id }, 'restore failed')
        why = `restoring backup ${what} failed: ${wordsOf(error)}`
      }
      if (this.#closed) return
      await this.#queue.run(async () => {
        if (this.#closed) return
        await this.#holdQuota()
        this.#restore = null
        await this.#restoreEnded(why)
      })
    }
    restore.done = work().catch((error: unknown) =>
      this.#outside.log.error({ err: error, server: this.id }, 'restore not recorded'),
    )
  }

  /** @param why what went wrong, or null when nothing did. */
  async #restoreEnded(why: string | null): Promise<void> {
    const { power } = this.#record
    if (power.phase !== 'restoring') return
    // What cannot be looked at may be half done.
    const changed = why !== null && (await isSwapping(this.#folder).catch(() => true))
    if (why !== null && !changed) await endRestore(this.#folder)
    this.#record.message =
      why === null
        ? null
        : changed
          ? `Its files are a mix of old and new: ${why}. Restore again.`
          : `${capital(why)}. ${asBefore}`
    await this.console.note(this.#record.message ?? `Restored backup ${power.what}`)
    const event: PowerEvent = changed
      ? { type: 'restore-failed', why }
      : { type: why === null ? 'restored' : 'restore-undone' }
    await this.#apply(observe(power, event, this.#now()))
  }

  async #recovered(run: Run, logPosition: number): Promise<void> {
    const ready = readinessOf(this.#spec.template.start)
    this.#listenForReady()
    this.console.follow(true)
    this.#attach(run)
    const { power } = this.#record
    if (power.phase === 'starting' && (ready === null || (await this.console.contains(ready, logPosition)))) {
      await this.#apply(observe(power, { type: 'ready' }, this.#now()))
    }
    // Whether the first request reached it before this node was killed, nobody knows.
    if (power.phase === 'stopping') await this.#askToStop()
    this.#armTimer()
    this.#publish()
  }

  #attach(run: Run): void {
    this.#run = run
    void run.ended.then((end) =>
      this.#queue.run(async () => {
        if (this.#run !== run || this.#closed) return
        const { phase } = this.#record.power
        await this.#onEnd(end)
        if (end.engineRestarted && (phase === 'starting' || phase === 'running')) await this.#decide('start')
      }),
    )
  }

  async #onEnd(end: RunEnd): Promise<void> {
    const { power, run } = this.#record
    await this.console.catchUp()
    this.#run = null
    this.#record.run = null
    this.#letGo()
    const asked = power.phase === 'stopping'
    const whyRestarted = end.machineRestarted
      ? 'This machine was restarted'
      : end.engineRestarted && !asked
        ? 'The container engine was restarted, and its container ended'
        : null
    const crashed = !asked && whyRestarted === null && (end.code !== 0 || end.outOfMemory)
    this.#record.lastExit = {
      code: end.code,
      signal: end.signal,
      outOfMemory: end.outOfMemory,
      crashed,
      at: this.#now(),
    }
    const words = exitWords(end, { asked, ready: power.phase === 'running', memoryMiB: this.#spec.resources.memory })
    const orderly = asked && !end.outOfMemory
    if (!orderly) this.#record.message = whyRestarted ?? words
    if (!end.machineRestarted) await this.console.note(whyRestarted ?? words)
    if (crashed)
      await this.#incident({
        ...{ kind: 'crash', at: this.#now(), message: words, restarts: false, run: run?.logPosition ?? null },
        ...{ code: end.code, signal: end.signal, outOfMemory: end.outOfMemory },
      })
    const disk = this.#outside.diskBytes(this.id)
    this.#usage =
      disk === null
        ? null
        : { memoryBytes: 0, cpuCores: 0, diskBytes: disk, networkRxBytes: null, networkTxBytes: null, processes: 0 }
    await this.#apply(observe(power, { type: 'exited', crashed }, this.#now()))
  }

  /** What cannot be kept is still in the console. */
  async #incident(incident: Omit<NewIncident, 'lines'>): Promise<void> {
    try {
      const lines = await this.console.lines(incidentLinesMax)
      const kept = await this.incidents.add({ ...incident, lines: lines.map(({ text }) => text) })
      if (kept) this.#outside.happened(this.id, kept)
    } catch (error) {
      this.#outside.log.warn({ err: error, server: this.id }, 'an incident could not be kept')
    }
  }

  async #considerRestart(): Promise<void> {
    if (!this.#spec.restartOnCrash || this.#spec.suspended || this.#spec.held || this.#record.power.phase !== 'offline')
      return
    const verdict = afterCrash(this.#record.recentCrashes, this.#now(), this.#record.message ?? 'It crashed')
    this.#record.recentCrashes = verdict.recent
    this.#record.message = verdict.message
    await this.console.note(verdict.message)
    if (verdict.restartAt === null) return this.#apply({ next: this.#record.power, effects: [] })
    await this.#apply(observe(this.#record.power, { type: 'restart-planned', at: verdict.restartAt }, this.#now()))
  }

  #listenForReady(): void {
    const ready = readinessOf(this.#spec.template.start)
    if (ready === null) return
    const stop = this.console.onLine.on((line: ConsoleLine) => {
      if (this.#record.power.phase !== 'starting' || !ready(line.text)) return
      stop()
      void this.#observe({ type: 'ready' })
    })
    this.#stopListening = stop
  }

  #letGo(): void {
    this.#stopListening?.()
    this.#stopListening = null
    this.console.follow(false)
  }

  /** One timer for whatever the state waits for. */
  #armTimer(): void {
    this.#timer?.abort()
    this.#timer = null
    const due = this.#nextDue()
    if (!due || this.#closed) return
    const timer = new AbortController()
    this.#timer = timer
    void this.#outside.clock.sleep(Math.max(0, due.at - this.#now()), timer.signal).then(
      () =>
        this.#queue.run(async () => {
          if (timer.signal.aborted || this.#closed) return
          await this.#timeIsUp(due.event)
        }),
      // Taken back: the state has changed.
      () => undefined,
    )
  }

  #nextDue(): { at: number; event: PowerEvent } | null {
    const { power } = this.#record
    const { start, stopTimeoutSeconds } = this.#spec.template
    switch (power.phase) {
      case 'starting':
        return { at: power.since + start.timeoutSeconds * 1000, event: { type: 'start-timeout' } }
      case 'stopping':
        return {
          at: this.#killedAt === null ? power.since + stopTimeoutSeconds * 1000 : this.#killedAt + killAgainMs,
          event: { type: 'stop-timeout' },
        }
      case 'offline':
        return power.restartAt === null ? null : { at: power.restartAt, event: { type: 'restart-due' } }
      case 'installing':
      case 'install_failed':
      case 'restoring':
      case 'restore_failed':
      case 'sleeping':
      case 'running':
        return null
    }
  }

  async #timeIsUp(event: PowerEvent): Promise<void> {
    const { start, stopTimeoutSeconds } = this.#spec.template
    if (event.type === 'start-timeout' && start.late === 'running') {
      await this.console.note(
        `No line said that it is ready within ${start.timeoutSeconds} seconds; it counts as running`,
      )
      return this.#apply(observe(this.#record.power, { type: 'ready' }, this.#now()))
    }
    const words =
      event.type === 'start-timeout'
        ? `It was not ready within ${start.timeoutSeconds} seconds and was ended; the console may say why`
        : event.type === 'stop-timeout'
          ? `It did not stop within ${stopTimeoutSeconds} seconds and was killed`
          : null
    if (words && this.#killedAt === null) {
      await this.console.note(words)
      this.#record.message = words
    }
    await this.#apply(observe(this.#record.power, event, this.#now()))
  }

  /** @param adopt where nothing of it runs. */
  async #holdQuota({ adopt = false, times = 1 }: { adopt?: boolean; times?: number } = {}): Promise<void> {
    const { runtime, quotas } = this.#outside
    if (quotas.refused !== null) return
    const bytes = this.#spec.resources.disk * 1024 * 1024
    const limits = { bytes: bytes * times, files: filesMaxOf(bytes) * times }
    await quotas.apply({ folder: this.#folder, owner: await runtime.prepare(this.#folder) }, limits, adopt)
  }

  #refuseSuspended(): void {
    if (this.#spec.held) throw conflict(`Server ${this.#spec.name} cannot be changed now: ${this.#spec.held.why}`)
    if (this.#spec.suspended)
      throw conflict(`Server ${this.#spec.name} is suspended; ask the administrator to lift that`)
  }

  async #refuseUnstartable(): Promise<void> {
    this.#refuseSuspended()
    const taken = await this.#outside.whyPortsTaken(this.#spec, (port, protocol) => this.#door.holds(port, protocol))
    if (taken) throw conflict(taken)
    const limitMiB = this.#spec.resources.disk
    const isOver = (bytes: number | null): boolean => bytes !== null && bytes > limitMiB * 1024 * 1024
    // Counted anew before it is refused: files may have been deleted since.
    const known = this.#outside.diskBytes(this.id)
    const used = isOver(known) ? await this.#outside.measureDisk(this.id) : known
    if (used !== null && isOver(used)) {
      throw conflict(
        `Server ${this.#spec.name} uses ${Math.ceil(used / 1024 / 1024)} MiB of disk and may use ${limitMiB} MiB; delete files before starting it`,
      )
    }
  }

  async #explain(error: unknown, what: string): Promise<void> {
    const words = wordsOf(error)
    if (!(error instanceof AppError)) this.#outside.log.error({ err: error, server: this.id }, `${what} failed`)
    this.#record.message = words
    await this.console.note(words)
  }

  async #save(): Promise<void> {
    if (!this.#closed) await writeRecord(this.#folder, this.#record).catch(fullDisk)
  }

  #publish(): void {
    if (!this.#closed) this.#outside.changed(this.state())
  }

  #now(): number {
    return this.#outside.clock.now()
  }
}

/** What a node that was killed while it restored has left: a swap that was begun is finished, anything before it forgotten. */
const finishRestore: RestoreWork = async ({ folder, signal }) => {
  if (!(await finishSwap(folder, signal))) throw conflict('the node was stopped before it was complete')
}

/** A game that says nothing of being ready listens within this time, in ms, and is tried that often. */
const settlingMs = 10_000
const settlingLookMs = 500

const noExit = { code: null, signal: null, outOfMemory: false } as const
const asBefore = 'The files are as they were before.'

const newRecord = (now: number): ServerRecord => ({
  version: 1,
  power: { phase: 'installing', since: now } satisfies Power,
  message: null,
  lastExit: null,
  recentCrashes: [],
  run: null,
  naps: [],
  recentWakes: [],
  lastStartMs: null,
})
