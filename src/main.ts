import { dirname } from 'node:path'
import { runCli } from './cli/cli.ts'
import { countBuffersAsHeap } from './lib/garbage.ts'

countBuffersAsHeap()

/** A terminal's Ctrl-C comes once from the terminal and again from npm and the start script: within this time it is the same one. */
const sameInterruptMs = 1_000

/** After everything was closed a process ends by itself; a forgotten handle may hold it up no longer than this. */
const lingerMs = 5_000

const interrupted = new AbortController()
let interruptedAt = 0
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(name, () => {
    if (!interrupted.signal.aborted) {
      interruptedAt = performance.now()
      interrupted.abort(new Error(`interrupted by ${name}`))
    } else if (performance.now() - interruptedAt > sameInterruptMs) process.exit(130)
  })
// A reader that went away (`pharos servers list | head -1`) is no fault of ours and needs no words.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })

const code = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  root: dirname(import.meta.dirname),
  streams: {
    data: (text) => process.stdout.write(text),
    talk: (text) => process.stderr.write(text),
    live: process.stderr.isTTY === true,
  },
  stdin: process.stdin,
  self: [process.execPath, ...process.argv.slice(1, 2)],
  signal: interrupted.signal,
  roles: {
    up: async (settings, session) => (await import('./roles/up.ts')).runUp(settings, session),
    panel: async (settings, session) => (await import('./roles/panel.ts')).runPanel(settings, session),
    node: async (settings, session) => (await import('./roles/node.ts')).runNode(settings, session),
    joinNode: async (settings, token, session) => (await import('./roles/node.ts')).joinNode(settings, token, session),
    edge: async (settings, session) => (await import('./roles/edge.ts')).runEdge(settings, session),
  },
})
process.exitCode = code
// What was interrupted may have left anything open.
if (code === 130) process.exit()
setTimeout(() => process.exit(), lingerMs).unref()
