import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../lib/fs.ts'
import { Secret } from '../lib/secret.ts'
import { CommandError } from './command.ts'

/** Which panel the commands talk to, and with which key. */
export interface Account {
  url: string
  key: Secret
}

const AccountFile = z.strictObject({ url: z.url({ protocol: /^https?$/ }), key: z.string().min(1).max(512) })

/** Where commands look for an account when the environment gives none: written by `pharos setup` and `pharos use`. */
export const accountPath = (configHome: string): string => join(configHome, 'pharos', 'account.json')

/** The saved account; null when there is none. */
export async function readAccount(configHome: string): Promise<Account | null> {
  const path = accountPath(configHome)
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new CommandError(`The account file ${path} cannot be read: ${(error as Error).message}`)
  }
  try {
    const { url, key } = AccountFile.parse(JSON.parse(content))
    return { url, key: new Secret(key) }
  } catch {
    throw new CommandError(`The account file ${path} is damaged. Delete it and run "pharos use <url>" again.`)
  }
}

/** Saves the account for later commands of this user alone (0600). Returns the file's path. */
export async function saveAccount(configHome: string, { url, key }: Account): Promise<string> {
  const path = accountPath(configHome)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFileAtomic(path, `${JSON.stringify({ url, key: key.reveal() }, null, 2)}\n`)
  return path
}
