import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { npm, say } from './npm.js'

/** A registry may be away for a moment; npm itself tries each file again, but not all that can go wrong. */
const attemptsMax = 3
const pauseMs = 5000

/**
 * Makes `node_modules` what the lock file says, unless it already is. A note in it, written last, says for which lock file and
 * which set it was made: an install that was killed has none and is done again.
 * @param {string} folder the folder of package.json and package-lock.json
 * @param {object} options
 * @param {string} options.root the project's folder
 * @param {string} options.node the Node that runs npm
 * @param {'production' | 'all'} options.set `production` leaves the tools of development out, but never takes them away
 * @param {string} [options.what] what is being installed, for the progress line
 */
export async function install(folder, { root, node, set, what = 'packages' }) {
  const lock = createHash('sha256')
    .update(await readFile(join(folder, 'package-lock.json')))
    .digest('hex')
  const notePath = join(folder, 'node_modules', '.pharos-installed.json')
  const found = await readNote(notePath)
  if (found?.lock === lock && (found.set === 'all' || found.set === set)) return
  const wanted = found?.set === 'all' ? 'all' : set

  say(`installing ${what} …`)
  await rm(notePath, { force: true })
  // No package here needs its install script: what is native comes ready-made inside the packages.
  const args = ['ci', '--ignore-scripts', ...(wanted === 'all' ? [] : ['--omit=dev'])]
  for (let attempt = 1; ; attempt += 1) {
    try {
      await npm(root, node, args, { cwd: folder })
      break
    } catch (error) {
      if (attempt === attemptsMax) throw error
      say(`that did not work, trying again: ${error.message.split('\n').at(-1)}`)
      await new Promise((resolve) => setTimeout(resolve, attempt * pauseMs))
    }
  }
  await mkdir(join(folder, 'node_modules'), { recursive: true })
  await writeFile(notePath, JSON.stringify({ lock, set: wanted }))
}

async function readNote(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return null
  }
}
