import type { Updateable } from 'kysely'
import type { ScheduleTask } from '../../contract/api/schedules.ts'
import { AppError } from '../../contract/errors.ts'
import type { ScheduleRunRow } from '../db/index.ts'
import { act, authorityOf, type Editor, wordsOf } from './acts.ts'
import { messageCharsMax, sayAliveEveryMs } from './limits.ts'
import {
  type Conclusion,
  concluded,
  ended,
  entered,
  interrupted,
  mustStop,
  permissionOf,
  type TaskResult,
} from './progress.ts'
import { sayAlive, setRun } from './store.ts'
import type { SchedulesWorld } from './world.ts'

/** A run that this panel has taken. What it does was fixed when it was taken: a later edit counts for the next one. */
export interface TakenRun {
  id: string
  panel: string
  scheduleId: string
  scheduleName: string
  serverId: string
  editor: Editor
  onlyWhenRunning: boolean
  /** What its entry says where nothing went wrong. */
  note: string | null
  results: TaskResult[]
}

/** Does the tasks of runs, each run on its own, and writes down how far each has come before and after every act. */
export class Runner implements AsyncDisposable {
  readonly #world: SchedulesWorld
  readonly #panel: string
  readonly #stopping = new AbortController()
  readonly #runs = new Map<string, Promise<void>>()
  #saidAt = 0

  constructor(world: SchedulesWorld, panel: string) {
    this.#world = world
    this.#panel = panel
  }

  /** Never rejects. */
  start(run: TakenRun): void {
    const running = this.#run(run)
      .catch((error: unknown) => {
        // What cannot be written down now counts as interrupted once this panel has been silent about it.
        this.#world.log.error({ err: error, schedule: run.scheduleId, run: run.id }, 'a run could not be written down')
      })
      .finally(() => this.#runs.delete(run.id))
    this.#runs.set(run.id, running)
  }

  /** Tells the other panels, now and then, that the runs here are alive. */
  async sayAlive(): Promise<void> {
    const now = this.#world.clock.now()
    if (this.#runs.size === 0 || Math.abs(now - this.#saidAt) < sayAliveEveryMs) return
    this.#saidAt = now
    const ids = [...this.#runs.keys()]
    for (let at = 0; at < ids.length; at += idsAtOnce)
      await sayAlive(this.#world.db.kysely, this.#panel, ids.slice(at, at + idsAtOnce), now)
  }

  /** Resolves when every run that was under way has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#runs.values())
  }

  /** Runs under way are written down as interrupted. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.idle()
  }

  async #run(run: TakenRun): Promise<void> {
    const { clock, servers } = this.#world
    let { results } = run
    try {
      const held = await authorityOf(this.#world, run.editor, run.serverId, null)
      if (run.onlyWhenRunning) {
        const { status } = await servers.status(held.row)
        if (status !== 'running') return await this.#skip(run, `${held.row.name} was not running: it is ${status}.`)
      }
      for (const [index, { task }] of results.entries()) {
        if (this.#stopping.signal.aborted) break
        if (task.delaySeconds > 0) {
          results = entered(results, index, 'waiting', clock.now())
          if (!(await this.#save(run, results))) return
          await clock.sleep(task.delaySeconds * 1000, this.#stopping.signal)
        }
        results = entered(results, index, 'running', clock.now())
        if (!(await this.#save(run, results))) return
        const failure = await this.#do(run, task)
        results = ended(results, index, failure, clock.now())
        if (!(await this.#save(run, results))) return
        if (mustStop(results)) break
      }
    } catch (error) {
      if (this.#stopping.signal.aborted) return this.#conclude(run, interrupted(results, clock.now()))
      if (!(error instanceof AppError)) throw error
      return this.#conclude(run, { ...concluded(results), state: 'failed', message: error.message })
    }
    const unfinished = this.#stopping.signal.aborted && results.some(({ state }) => state === 'pending')
    return this.#conclude(
      run,
      unfinished && !mustStop(results) ? interrupted(results, clock.now()) : concluded(results),
    )
  }

  /** What went wrong, or null. Who may do this is asked at this very moment, not when the schedule was saved or began. */
  async #do(run: TakenRun, task: ScheduleTask): Promise<string | null> {
    try {
      const held = await authorityOf(this.#world, run.editor, run.serverId, task)
      await act(this.#world, held, task, this.#stopping.signal)
      this.#record(run, task, held.row.workspace_id, null)
      return null
    } catch (error) {
      if (this.#stopping.signal.aborted) throw error
      if (!(error instanceof AppError))
        this.#world.log.error({ err: error, schedule: run.scheduleId, run: run.id }, 'a scheduled task failed')
      this.#record(run, task, null, error instanceof AppError ? error.code : 'internal')
      return wordsOf(error).slice(0, messageCharsMax)
    }
  }

  /** What a schedule does to a server stands in its activity as if the person had done it, by the schedule. */
  #record(run: TakenRun, task: ScheduleTask, workspaceId: string | null, code: AppError['code'] | null): void {
    if (task.kind === 'wait') return
    this.#world.activity.record({
      who: { ...run.editor, via: { kind: 'schedule', id: run.scheduleId } },
      operation: operationOf[task.kind],
      permission: permissionOf(task),
      subject: run.scheduleName,
      serverId: run.serverId,
      workspaceId,
      address: null,
      userAgent: null,
      code,
    })
  }

  async #skip(run: TakenRun, message: string): Promise<void> {
    await this.#set(run, { state: 'skipped', message, tasks: written(concluded(run.results).results) })
  }

  async #conclude(run: TakenRun, { state, message, results }: Conclusion): Promise<void> {
    await this.#set(run, { state, message: message?.slice(0, messageCharsMax) ?? run.note, tasks: written(results) })
  }

  #set(run: TakenRun, change: Updateable<ScheduleRunRow>): Promise<boolean> {
    return setRun(this.#world.db.kysely, run, { ...change, ended_at: this.#world.clock.now() })
  }

  /** False where the run is no longer ours: nothing more may be done for it. */
  #save(run: TakenRun, results: readonly TaskResult[]): Promise<boolean> {
    return setRun(this.#world.db.kysely, run, { tasks: written(results), seen_at: this.#world.clock.now() })
  }
}

const operationOf = { power: 'power', command: 'consoleCommand', backup: 'createBackup' } as const

/** Well below the number of values that a query may have. */
const idsAtOnce = 500

const written = (results: readonly TaskResult[]): string => JSON.stringify(results)
