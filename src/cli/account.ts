import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../lib/fs.ts'
import { Secret } from '../lib/secret.ts'
import { CommandError } from './command.ts'

/** Which panel the commands talk to, and with which key. */
export interface Account {
  url: string
  key: Secret
  /** Of a key that was made for this file by `pharos login`: signing out revokes it. */
  keyId?: string | undefined
}

const AccountFile = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  key: z.string().min(1).max(512),
  keyId: z.string().min(1).max(100).optional(),
})

/** Where commands look for an account when the environment gives none: written by `pharos login`, `setup` and `use`. */
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
    const { url, key, keyId } = AccountFile.parse(JSON.parse(content))
    return { url, key: new Secret(key), keyId }
  } catch {
    throw new CommandError(
      `The account file ${path} is damaged. Delete it and run "pharos login --panel <url>" or "pharos use <url>" again.`,
    )
  }
}

/** Saves the account for later commands of this user alone (0600). Returns the file's path. */
export async function saveAccount(configHome: string, { url, key, keyId }: Account): Promise<string> {
  const path = accountPath(configHome)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFileAtomic(path, `${JSON.stringify({ url, key: key.reveal(), keyId }, null, 2)}\n`)
  return path
}

/** Forgets the account. Idempotent. */
export const forgetAccount = (configHome: string): Promise<void> => rm(accountPath(configHome), { force: true })
