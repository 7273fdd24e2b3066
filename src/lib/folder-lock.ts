import { existsSync, readFileSync } from 'node:fs'
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { newShortId } from './ids.ts'

/** How often a lock left by a killed process is taken over before giving up: each try loses only to another starter. */
const takeoverTries = 5

/** Somebody else has the folder: the process `pid`, or (null) one that is taking it at this moment. */
export class FolderHeld extends Error {
  readonly pid: number | null
  constructor(pid: number | null) {
    super(pid === null ? 'the folder is being taken by another start' : `the folder is in use by process ${pid}`)
    this.name = 'FolderHeld'
    this.pid = pid
  }
}

/**
 * Makes the folder and holds it for this process until disposed. A process that was killed does not hold it any more.
 * @param name of the lock: one folder may be held under several names
 * @throws FolderHeld; what the file system says when the folder cannot be written
 */
export async function lockFolder(folder: string, name: string): Promise<AsyncDisposable> {
  await makeFolder(folder)
  const lock = join(folder, `${name}.lock`)
  const mine = `${lock}.${newShortId()}`
  await writeFile(mine, identity(process.pid), { flag: 'wx', mode: 0o600 })
  try {
    for (let attempt = 0; ; attempt++) {
      if (await place(mine, lock)) break
      const holder = await readFile(lock, 'utf8').catch(() => '')
      const pid = Number.parseInt(holder, 10)
      if (holder !== '' && identity(pid) === holder) throw new FolderHeld(pid)
      if (attempt >= takeoverTries) throw new FolderHeld(null)
      await takeAway(lock, holder)
    }
  } finally {
    await rm(mine, { force: true })
  }
  return {
    async [Symbol.asyncDispose]() {
      await rm(lock, { force: true })
    },
  }
}
/**
 * Makes a folder for this user alone, and those above it. Node's own recursive `mkdir` never ends where the system says that a folder which
 * is there is not (as /proc does).
 */
export async function makeFolder(path: string): Promise<void> {
  const make = (): Promise<void> => mkdir(path, { mode: 0o700 })
  try {
    await make()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    const parent = dirname(path)
    if (code !== 'ENOENT' || existsSync(parent)) throw error
    await makeFolder(parent)
    await make()
  }
}

/** A hard link is there whole or not at all, and is never made over another one. */
async function place(mine: string, lock: string): Promise<boolean> {
  try {
    await link(mine, lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Removes a dead process's lock, and puts it back when it has become somebody else's between looking and taking. */
async function takeAway(lock: string, dead: string): Promise<void> {
  const aside = `${lock}.${newShortId()}`
  try {
    await rename(lock, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  if ((await readFile(aside, 'utf8')) !== dead) await place(aside, lock)
  await rm(aside, { force: true })
}

/**
 * The process id and when that process began (in clock ticks since the machine did): a number alone comes back with another
 * process, above all in containers. Without /proc the number must do.
 */
function identity(pid: number): string {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'gone'
  }
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? ''
    return `${pid} ${afterName.split(' ')[19]}`
  } catch {
    return `${pid} unknown`
  }
}
