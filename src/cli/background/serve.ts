import { FolderHeld, lockFolder } from '../../lib/folder-lock.ts'
import { CommandError, ProgramEnded, type Tools } from '../command.ts'
import { BackgroundAgent } from './background-agent.ts'
import { madeBackgroundFolder } from './folder.ts'
import { serveLocalApi } from './local-api.ts'

/** What one that was started on demand ends with where there is one already: whoever started it may talk to that. */
export const heldExitCode = 75

/** Between a command that closes the last tunnel and one that opens the next there is not much more, ms. */
const idleMs = 5_000

/**
 * Is the background agent of this user, until it is told to end or, with `untilIdle`, has had nothing to do for a moment. Throws a `CommandError`
 * where there is one already.
 */
export async function serveBackground(
  {
    stateHome,
    configHome,
    version,
    now,
    signal,
  }: Pick<Tools, 'stateHome' | 'configHome' | 'version' | 'now' | 'signal'>,
  { untilIdle }: { untilIdle: boolean },
): Promise<void> {
  const folder = await madeBackgroundFolder(stateHome)
  await using closer = new AsyncDisposableStack()
  try {
    closer.use(await lockFolder(folder.path, 'agent'))
  } catch (error) {
    if (!(error instanceof FolderHeld)) throw error
    if (untilIdle) throw new ProgramEnded(heldExitCode)
    throw new CommandError(
      `The background agent is already running${error.pid === null ? '' : ` as process ${error.pid}`}. "pharos agent stop" ends it.`,
    )
  }
  const ended = Promise.withResolvers<void>()
  let idle: NodeJS.Timeout | undefined
  const agent = closer.use(
    new BackgroundAgent({
      ...{ folder, configHome, version, now },
      onEmpty(empty) {
        clearTimeout(idle)
        idle = empty && untilIdle ? setTimeout(ended.resolve, idleMs) : undefined
      },
    }),
  )
  closer.defer(() => clearTimeout(idle))
  await agent.restore()
  closer.use(await serveLocalApi(agent, folder, ended.resolve))
  agent.journal.write(null, `the background agent has started as process ${process.pid}`)
  if (signal.aborted) ended.resolve()
  signal.addEventListener('abort', () => ended.resolve(), { once: true })
  await ended.promise
  agent.journal.write(null, 'the background agent ends')
}
