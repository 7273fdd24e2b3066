import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, type Tools } from '../command.ts'
import { madeBackgroundFolder } from './folder.ts'
import { LocalAgent, NoAgent } from './local-agent.ts'
import { heldExitCode } from './serve.ts'

/** One that is about to end must be gone before the next one begins, and a busy machine takes seconds to start a program, ms. */
const startTimeoutMs = 60_000

/** How often it is looked for meanwhile, ms. */
const lookEveryMs = 50

/** Variables that the agent needs: nothing else of a shell, which may hold secrets, lives on in it. */
const variables =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR|XDG_[A-Z_]+|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|SYSTEMROOT)$/

type Needs = Pick<Tools, 'stateHome' | 'self' | 'env' | 'signal'>

/**
 * Asks the background agent of this user, started where none is running. One that ended between the two is started again: what is asked must
 * be fit to be asked twice. Throws a `CommandError` where it cannot be started.
 */
export async function askStarted<T>(needs: Needs, ask: (agent: LocalAgent) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await ask(await startedAgent(needs))
    } catch (error) {
      if (!(error instanceof NoAgent) || attempt === attemptsMax) throw error
    }
}

const attemptsMax = 3

/** The background agent of this user, started where none is running. Throws a `CommandError` where it cannot be. */
export async function startedAgent({ stateHome, self, env, signal }: Needs): Promise<LocalAgent> {
  const folder = await madeBackgroundFolder(stateHome)
  const agent = new LocalAgent(folder)
  const until = performance.now() + startTimeoutMs
  const child: { state: 'none' | 'running' | 'failed' } = { state: 'none' }
  while (performance.now() < until && child.state !== 'failed') {
    signal.throwIfAborted()
    if (await isThere(agent)) return agent
    if (child.state === 'none') {
      child.state = 'running'
      void spawnAgent(self, env, folder.path, folder.errors).then((code) => {
        // It found another one that is starting, or still ending: then the next one may have the folder.
        child.state = code === 0 || code === heldExitCode ? 'none' : 'failed'
      })
    }
    await sleep(lookEveryMs)
  }
  const said = (await readFile(folder.errors, 'utf8').catch(() => '')).trim()
  throw new CommandError(
    `The background agent did not start. ${said === '' ? `Look into ${folder.path}.` : `It said: ${said}`}`,
  )
}

const isThere = async (agent: LocalAgent): Promise<boolean> => {
  try {
    await agent.status()
    return true
  } catch (error) {
    if (error instanceof NoAgent) return false
    throw error
  }
}

/** A process of its own, in a session of its own: no terminal ends it. Resolves with its exit code; null where it was killed, or never began. */
async function spawnAgent(
  self: readonly string[],
  env: Tools['env'],
  cwd: string,
  errors: string,
): Promise<number | null> {
  const [runtime, ...args] = self
  if (runtime === undefined) return null
  const file = await open(errors, 'w', 0o600)
  try {
    const child = spawn(runtime, [...args, 'agent', 'serve', '--until-idle'], {
      cwd,
      env: Object.fromEntries(Object.entries(env).filter(([name]) => variables.test(name))),
      detached: true,
      stdio: ['ignore', file.fd, file.fd],
    })
    child.unref()
    return await new Promise((resolve) => {
      child.once('error', () => resolve(null))
      child.once('exit', resolve)
    })
  } finally {
    await file.close()
  }
}
