import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from './build.js'
import { buildWeb } from './build-web.js'
import { install } from './install.js'
import { say, withNodeOnPath } from './npm.js'
import { oneAtATime } from './one-at-a-time.js'
import { bringNode } from './runtime.js'

/** The project's folder. */
export const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))))

/**
 * Brings what is missing (Node, packages, the bundle) and becomes `pharos <args>`.
 * @param {string[]} args
 */
export async function launch(args) {
  const { node, entry } = await prepared(async () => {
    const node = await bringNode(root)
    await install(root, { root, node, set: 'production' })
    const entry = await build(root)
    await buildWeb(root)
    return { node, entry }
  })
  if (node === process.execPath) {
    process.argv = [node, entry, ...args]
    await import(pathToFileURL(entry).href)
    return
  }
  await become(node, [entry, ...args])
}

/**
 * Brings what is missing for development and becomes `node <args>`, in the project's folder.
 * @param {string[]} args
 */
export async function runWithNode(args) {
  const node = await prepared(async () => {
    const node = await bringNode(root)
    await install(root, { root, node, set: 'all' })
    return node
  })
  await become(node, args, root)
}

/** One at a time in this folder; what goes wrong is said in one line, not as a stack. */
async function prepared(work) {
  if (!existsSync(join(root, 'package-lock.json'))) fail(`${root} has no package-lock.json: clone the project again.`)
  return oneAtATime(join(root, '.runtime', 'installing'), work).catch((error) => fail(error.message))
}

/**
 * Runs a program in our place: its input and output are ours, it gets our signals, and we end as it ends.
 * @param {string} node
 * @param {string[]} args
 * @param {string} [cwd]
 */
async function become(node, args, cwd) {
  const child = spawn(node, args, { stdio: 'inherit', env: withNodeOnPath(node), ...(cwd ? { cwd } : {}) })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  const [code, signal] = await new Promise((resolve) => {
    child.on('error', (error) => fail(`${node} cannot be run: ${error.message}`))
    child.on('close', (...end) => resolve(end))
  })
  process.exit(code ?? 128 + constants.signals[signal])
}

function fail(message) {
  say(message)
  process.exit(1)
}
