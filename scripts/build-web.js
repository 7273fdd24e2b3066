import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { fingerprint } from './fingerprint.js'
import { say } from './npm.js'

/** What is worth compressing beforehand. */
const compressible = ['.js', '.css', '.html', '.svg']

/**
 * Builds the web UI into `dist/web` when its sources are not those of the last build. The folder is put in place whole: a killed
 * build leaves the old one.
 * @param {string} root the project's folder
 * @returns {Promise<string>} the folder
 */
export async function buildWeb(root) {
  const folder = join(root, 'dist', 'web')
  const notePath = join(folder, 'built-from')
  const sources = await fingerprint(
    root,
    ['web', 'src/contract', 'src/client'],
    ['package.json', 'package-lock.json', 'scripts/build-web.js'],
  )
  if ((await readFile(notePath, 'utf8').catch(() => '')) === sources) return folder

  say('building the web UI …')
  const { build } = await import('vite')
  const fresh = join(root, 'dist', 'web.new')
  await mkdir(join(root, 'dist'), { recursive: true })
  await build({
    configFile: join(root, 'web', 'vite.config.ts'),
    build: { outDir: fresh, emptyOutDir: true },
    logLevel: 'error',
  })
  await compress(fresh)
  await writeFile(join(fresh, 'built-from'), sources)
  await rm(folder, { recursive: true, force: true })
  await rename(fresh, folder)
  return folder
}

async function compress(folder) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !compressible.includes(extname(entry.name))) continue
    const path = join(entry.parentPath, entry.name)
    const content = await readFile(path)
    await writeFile(`${path}.br`, await promisify(brotliCompress)(content, brotli))
    await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }))
  }
}

/** The highest quality takes ten times as long for two percent. */
const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }
