import { readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'

/** What is known of the working copy that a folder is in. */
export interface Checkout {
  /** Of the repository: the last part of where it came from, else the folder of its main working copy. */
  repository: string
  /** Null where no branch is checked out. */
  branch: string | null
  /** The folder of this working copy. */
  worktree: string
}

/** A `.git` file, a `HEAD` and a `config` are smaller by far. */
const fileBytesMax = 1_048_576

/** Looks for the working copy of git that holds the folder, without needing git itself; null where there is none. */
export async function checkoutOf(folder: string): Promise<Checkout | null> {
  for (let at = await realpath(folder); ; at = dirname(at)) {
    const gitFolder = await gitFolderOf(at)
    if (gitFolder) return await read(at, gitFolder)
    if (dirname(at) === at) return null
  }
}

/** `.git` is a folder, or in further working copies and submodules a file that says where the folder is. */
async function gitFolderOf(root: string): Promise<string | null> {
  const path = join(root, '.git')
  const found = await stat(path).catch(() => null)
  if (found?.isDirectory()) return (await text(join(path, 'HEAD'))) === null ? null : path
  if (!found?.isFile()) return null
  const named = /^gitdir: (.+)$/m.exec((await text(path)) ?? '')?.[1]?.trim()
  return named ? resolve(root, named) : null
}

async function read(worktree: string, gitFolder: string): Promise<Checkout> {
  const head = (await text(join(gitFolder, 'HEAD'))) ?? ''
  const common = (await text(join(gitFolder, 'commondir')))?.trim()
  const shared = common === undefined ? gitFolder : isAbsolute(common) ? common : resolve(gitFolder, common)
  const origin = originIn((await text(join(shared, 'config'))) ?? '')
  const mainFolder = basename(shared) === '.git' ? basename(dirname(shared)) : basename(worktree)
  return {
    repository: origin ?? mainFolder,
    branch: /^ref: refs\/heads\/(.+)$/m.exec(head)?.[1]?.trim() ?? null,
    worktree: basename(worktree),
  }
}

/** `shop` of `url = git@example.org:acme/shop.git` in the section of `origin`. */
function originIn(config: string): string | null {
  const section = /^\[remote "origin"\]\s*$([\s\S]*?)(?=^\[|$(?![\s\S]))/m.exec(config)?.[1] ?? ''
  const url = /^\s*url\s*=\s*(.+?)\s*$/m.exec(section)?.[1]
  const name = url
    ?.replace(/\/+$/, '')
    .split(/[/:]/)
    .at(-1)
    ?.replace(/\.git$/, '')
  return name || null
}

async function text(path: string): Promise<string | null> {
  try {
    if ((await stat(path)).size > fileBytesMax) return null
    return await readFile(path, 'utf8')
  } catch {
    return null
  }
}
