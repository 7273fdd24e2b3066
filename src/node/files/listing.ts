import { type FileHandle, lstat, readdir, readlink } from 'node:fs/promises'
import type { NodeFile } from '../../contract/node-files.ts'
import { statsAtOnce } from './limits.ts'
import { pathOfFolder } from './place.ts'

export interface Page {
  files: NodeFile[]
  total: number
  /** Pass it as `after` to get the next page; null where this is the last. */
  next: string | null
}

/**
 * One page of an open folder: directories first, then by name. The kinds come with the names, so only the entries of the page
 * are asked for the rest. What vanishes meanwhile is left out.
 */
export async function listFolder(folder: FileHandle, limit: number, after: string | undefined): Promise<Page> {
  const here = pathOfFolder(folder)
  const keys = (await readdir(here, { withFileTypes: true })).map(
    (entry) => (entry.isDirectory() ? 'd' : 'f') + entry.name,
  )
  keys.sort(byCode)
  const first = after === undefined ? 0 : firstAfter(keys, after)
  const page = keys.slice(first, first + limit)
  const files: (NodeFile | null)[] = []
  for (let at = 0; at < page.length; at += statsAtOnce)
    files.push(...(await Promise.all(page.slice(at, at + statsAtOnce).map((key) => factsOf(here, key.slice(1))))))
  return {
    files: files.filter((file) => file !== null),
    total: keys.length,
    next: first + limit < keys.length ? (page.at(-1) ?? null) : null,
  }
}

async function factsOf(here: string, name: string): Promise<NodeFile | null> {
  const path = `${here}/${name}`
  try {
    const facts = await lstat(path)
    const isDirectory = facts.isDirectory()
    return {
      name,
      size: isDirectory ? 0 : facts.size,
      isDirectory,
      modifiedAt: Math.trunc(facts.mtimeMs),
      mode: facts.mode & 0o777,
      symlink: facts.isSymbolicLink() ? await readlink(path) : null,
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EINVAL') return isUtf8(name) ? null : unreadable(name)
    throw error
  }
}

const isUtf8 = (name: string): boolean => !name.includes('\ufffd')

/** A name that is not UTF-8 can be shown, but not asked for. Its folder can be deleted or moved. */
const unreadable = (name: string): NodeFile => ({
  name,
  size: 0,
  isDirectory: false,
  modifiedAt: 0,
  mode: 0,
  symlink: null,
})

const byCode = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

function firstAfter(keys: readonly string[], after: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) <= after) low = middle + 1
    else high = middle
  }
  return low
}
