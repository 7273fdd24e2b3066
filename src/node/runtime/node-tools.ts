import { execFile } from 'node:child_process'
import { realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The Node.js that runs this, and the npm that goes with it. */
export interface NodeTools {
  node: string
  /** npm's own package folder, or null when this machine has none. */
  npm: string | null
}

/** Finds npm beside the running Node.js, then where a shell of this user finds it. */
export async function findNodeTools(): Promise<NodeTools> {
  const node = await realpath(process.execPath)
  const installed = await run('/bin/sh', ['-c', 'command -v npm'])
    .then(({ stdout }) => [dirname(stdout.trim())])
    .catch(() => [])
  for (const folder of [dirname(process.execPath), dirname(node), ...installed]) {
    for (const candidate of [join(folder, 'npm'), join(folder, '../lib/node_modules/npm/bin/npm-cli.js')]) {
      const npm = await npmPackage(candidate)
      if (npm) return { node, npm }
    }
  }
  return { node, npm: null }
}

async function npmPackage(candidate: string): Promise<string | null> {
  try {
    const folder = dirname(dirname(await realpath(candidate)))
    await stat(join(folder, 'bin/npm-cli.js'))
    await stat(join(folder, 'package.json'))
    return folder
  } catch {
    return null
  }
}
