// Copies the packages that the bundle leaves to node_modules, and what those need, into another folder: an image needs no others.
// node packaging/runtime-packages.js <folder>
import { cp, mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { external } from '../scripts/build.js'

const root = dirname(import.meta.dirname)
const [target] = process.argv.slice(2)
if (!target) throw new Error('Name the folder that the packages go to')

const seen = new Set()
for (const name of external) await take(name, root)

/** Copies one package and what it depends on; one that is optional and not there is left out. */
async function take(name, from) {
  const found = await find(name, from)
  if (found === null || seen.has(found)) return
  seen.add(found)
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
    await readFile(join(found, 'package.json'), 'utf8'),
  )
  const to = join(target, found.slice(root.length))
  await mkdir(dirname(to), { recursive: true })
  await cp(found, to, { recursive: true })
  for (const needed of Object.keys({ ...dependencies, ...optionalDependencies })) await take(needed, found)
}

/** As Node.js looks for packages: beside whoever asks, then further out. */
async function find(name, from) {
  for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name)
    const there = await readFile(join(candidate, 'package.json')).catch(() => null)
    if (there) return candidate
  }
  return null
}
