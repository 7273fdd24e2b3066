import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fingerprint } from './fingerprint.js'
import { say } from './npm.js'

/** Left to node_modules: native code, CommonJS that is loaded by name, and optional parts that are not there. */
export const external = [
  'better-sqlite3',
  '@node-rs/argon2',
  '@peculiar/x509',
  '@simplewebauthn/server',
  'reflect-metadata',
  'openid-client',
  'pg-native',
  'bufferutil',
  'ioredis',
  'mysql2',
  'ssh2',
  'utf-8-validate',
]

/** CommonJS packages inside an ES module bundle still call `require`, `__filename` and `__dirname`. */
const banner = `import { createRequire as __createRequire } from 'node:module'
import { fileURLToPath as __fileURLToPath } from 'node:url'
const require = __createRequire(import.meta.url)
const __filename = __fileURLToPath(import.meta.url)
const __dirname = __fileURLToPath(new URL('.', import.meta.url))`

/**
 * Bundles `src/main.ts` into `dist/pharos.js` when the sources are not those of the last build; each role becomes a chunk of
 * its own, loaded when it is needed. The entry is replaced last, so that a killed build leaves the old one whole.
 * @param {string} root the project's folder
 * @returns {Promise<string>} path of the entry
 */
export async function build(root) {
  const dist = join(root, 'dist')
  const entry = join(dist, 'pharos.js')
  const notePath = join(dist, 'built-from')
  const sources = await fingerprint(
    root,
    ['src'],
    ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.js'],
  )
  if ((await readFile(notePath, 'utf8').catch(() => '')) === sources) return entry

  say('building …')
  const esbuild = await import('esbuild')
  const result = await esbuild.build({
    absWorkingDir: root,
    // The second is a process of its own: it unpacks archives under a server's user.
    entryPoints: { pharos: 'src/main.ts', extract: 'src/node/extraction/main.ts' },
    outdir: dist,
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: true,
    sourcesContent: false,
    keepNames: true,
    legalComments: 'none',
    logLevel: 'error',
    external,
    banner: { js: banner },
    write: false,
  })

  await mkdir(dist, { recursive: true })
  await rm(notePath, { force: true })
  const chunks = result.outputFiles.filter((file) => !file.path.startsWith(entry))
  const entryFiles = result.outputFiles.filter((file) => file.path.startsWith(entry))
  for (const file of [...chunks, ...entryFiles.reverse()]) {
    await writeFile(`${file.path}.new`, file.contents)
    await rename(`${file.path}.new`, file.path)
  }
  const made = new Set(result.outputFiles.map((file) => basename(file.path)))
  for (const name of await readdir(dist))
    if (!made.has(name) && name !== 'web') await rm(join(dist, name), { recursive: true })
  await writeFile(notePath, sources)
  return entry
}
