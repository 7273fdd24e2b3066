import { spawn } from 'node:child_process'
import { access, constants, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/**
 * One line of progress, on standard error: standard output belongs to the program that is started.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`pharos: ${line}\n`)
}

/**
 * The environment for a child: `node` means this Node, also for the programs that it starts.
 * @param {string} node path of the executable
 * @param {NodeJS.ProcessEnv} [env]
 */
export function withNodeOnPath(node, env = process.env) {
  return { ...env, PATH: [dirname(node), env.PATH].filter(Boolean).join(delimiter) }
}

/**
 * Runs npm without a question and without its chatter; what it has to say is shown only when it fails.
 * @param {string} root the project's folder, which keeps npm's cache where the home folder cannot be written
 * @param {string} node the Node that runs npm
 * @param {string[]} args
 * @param {{ cwd: string }} options
 */
export async function npm(root, node, args, { cwd }) {
  // npm names its own program when it runs a script; outside of one it is looked for on the PATH.
  const own = process.env.npm_execpath
  const [program, first] = own?.endsWith('.js') ? [node, [own]] : ['npm', []]
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--no-progress', '--yes', '--no-update-notifier']
  const env = withNodeOnPath(node)
  const cache = await writableCache(root)
  if (cache) env.npm_config_cache = cache
  // `npm start --prefix …` must not send what we install somewhere else.
  for (const name of ['npm_config_prefix', 'npm_config_local_prefix', 'npm_config_global', 'npm_config_workspace'])
    delete env[name]

  const child = spawn(program, [...first, ...args, ...quiet], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text) => {
      output += text
    })
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`npm cannot be run (${error.message}). It comes with Node.`)))
    child.on('close', (exit, signal) => resolve(exit ?? signal))
  })
  if (code !== 0) throw new Error(`npm ${args[0]} failed (${code}):\n${output.trim()}`)
}

/** A cache folder of ours where npm's own cannot be written (a read-only or missing home), else undefined. */
async function writableCache(root) {
  const usual = process.env.npm_config_cache ?? join(homedir(), '.npm')
  try {
    await mkdir(usual, { recursive: true })
    await access(usual, constants.W_OK)
    return undefined
  } catch {
    return join(root, '.runtime', 'npm-cache')
  }
}
