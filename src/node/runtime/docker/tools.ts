import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../../../contract/errors.ts'
import { newShortId } from '../../../lib/ids.ts'
import { toolEnvironment } from '../launch.ts'

const run = promisify(execFile)

/** Where the tools are inside a container. */
export const toolsInside = '/.pharos/bin'

/** Where a container's console is inside: what it reads and what it writes. */
export const consoleInside = { input: '/.pharos/in', log: '/.pharos/log' }

/**
 * The first program of every container. It opens the server's console, tells that by having opened the FIFO, waits until those
 * files are out of its reach, and becomes the server. Whoever opens the FIFO for reading has opened the log before.
 */
const beginScript = `exec >> ${consoleInside.log} 2>&1 < /dev/null || exit 125
exec 0<> ${consoleInside.input} || exit 125
IFS= read -r go || exit 125
exec "$@"
`

/** This machine's shell, and how it is run where nothing of this machine is. */
export interface ContainerTools {
  /** To be shown inside as `toolsInside`. */
  folder: string
  /** What begins a container; the server's own program and arguments follow. */
  begin: readonly string[]
}

/**
 * Copies this machine's shell, with the libraries that it needs, into a folder that containers are shown: so an image needs no
 * shell of its own, and none of its own is trusted.
 * @param folder is made anew.
 */
export async function prepareContainerTools(folder: string): Promise<ContainerTools> {
  const next = `${folder}.${newShortId()}`
  await mkdir(next, { recursive: true, mode: 0o755 })
  const { loader, libraries } = await librariesOf('/bin/sh')
  const copy = async (from: string, name: string): Promise<void> => {
    await copyFile(from, join(next, name))
    await chmod(join(next, name), 0o755)
  }
  await copy('/bin/sh', 'sh')
  for (const library of libraries) await copy(library, basename(library))
  if (loader) await copy(loader, 'loader')
  await writeFile(join(next, 'begin'), beginScript, { mode: 0o644 })
  await chmod(next, 0o755)
  // Containers that run have the old folder open; they need nothing of it any more.
  await rm(folder, { recursive: true, force: true })
  await rename(next, folder)
  const inside = (name: string): string => join(toolsInside, name)
  const shell = loader
    ? [inside('loader'), '--library-path', toolsInside, inside('sh'), inside('begin')]
    : [inside('sh'), inside('begin')]
  return { folder, begin: shell }
}

/** The dynamic loader of a program, null for one that needs none, and the libraries that it loads. */
export async function librariesOf(program: string): Promise<{ loader: string | null; libraries: string[] }> {
  const loader = await interpreterOf(program)
  if (loader === null) return { loader, libraries: [] }
  const { stdout } = await run('ldd', [program], { env: toolEnvironment }).catch((cause: unknown) => {
    throw new AppError('conflict', `The libraries of ${program} could not be found with ldd`, { cause })
  })
  const libraries = [...stdout.matchAll(/=> (\/\S+) \(0x/g)].map(([, path]) => path ?? '')
  return { loader, libraries: libraries.filter((path) => basename(path) !== basename(loader)) }
}

/** The kind of entry in a program's header that names its loader (PT_INTERP). */
const interpreterEntry = 3

/** Before the table of entries there is a head of this length. */
const elfHeadBytes = 64

/** Reads the name of the loader out of an ELF file of this machine's own 64 bits; null where it names none. */
async function interpreterOf(program: string): Promise<string | null> {
  const file = await open(program, 'r')
  try {
    const bytesAt = async (position: number, length: number): Promise<Buffer> =>
      (await file.read(Buffer.alloc(length), 0, length, position)).buffer
    const head = await bytesAt(0, elfHeadBytes)
    if (head.toString('latin1', 0, 4) !== '\x7fELF') return null
    const entryBytes = head.readUInt16LE(54)
    const table = await bytesAt(Number(head.readBigUInt64LE(32)), entryBytes * head.readUInt16LE(56))
    for (let at = 0; at < table.length; at += entryBytes) {
      if (table.readUInt32LE(at) !== interpreterEntry) continue
      const name = await bytesAt(Number(table.readBigUInt64LE(at + 8)), Number(table.readBigUInt64LE(at + 32)))
      // It ends with a NUL.
      return name.toString('latin1', 0, name.length - 1)
    }
    return null
  } finally {
    await file.close()
  }
}
