import { access, constants, readdir, readFile, readlink, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'

/** What checks read of a machine. They change nothing. */
export interface Machine {
  /** Of the user who asks; null where there are no user ids. */
  readonly uid: number | null
  /** `24.9.0` */
  readonly nodeVersion: string
  /** A small file's text; null where it cannot be read. */
  text(path: string): Promise<string | null>
  /** Where a program of the system is; null where it is not. */
  program(name: string): Promise<string | null>
  /** What is at the path for this user. */
  place(path: string): Promise<'nothing' | 'file' | 'folder' | 'writable folder'>
  /** Bytes that may still be written below this folder. */
  freeBytes(folder: string): Promise<number>
  /** Names of everything that runs, as far as this user sees it. */
  processes(): Promise<string[]>
  /** Whose each socket is, by its number in /proc/net, as far as this user sees it. */
  socketOwners(): Promise<ReadonlyMap<string, SocketOwner>>
}

export interface SocketOwner {
  pid: number
  /** Of the program, as the kernel has it: at most fifteen letters. */
  name: string
}

const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

export const thisMachine = (): Machine => ({
  uid: process.getuid?.() ?? null,
  nodeVersion: process.versions.node,
  text,
  async program(name) {
    for (const folder of programFolders) if (await may(join(folder, name), constants.X_OK)) return join(folder, name)
    return null
  },
  async place(path) {
    const found = await stat(path).catch(() => null)
    if (!found) return 'nothing'
    if (!found.isDirectory()) return 'file'
    return (await may(path, constants.W_OK | constants.X_OK)) ? 'writable folder' : 'folder'
  },
  async freeBytes(folder) {
    const disk = await statfs(folder)
    return disk.bavail * disk.bsize
  },
  async processes() {
    const names = (await processIds()).map((pid) => text(`/proc/${pid}/comm`))
    return (await Promise.all(names)).flatMap((name) => (name === null ? [] : [name.trim()]))
  },
  async socketOwners() {
    const owners = new Map<string, SocketOwner>()
    for (const pid of await processIds()) {
      const name = ((await text(`/proc/${pid}/comm`)) ?? 'a program').trim()
      for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
        const [, inode] = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) ?? []
        if (inode !== undefined) owners.set(inode, { pid: Number(pid), name })
      }
    }
    return owners
  },
})

const processIds = async (): Promise<string[]> =>
  (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))

const text = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null)

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )
