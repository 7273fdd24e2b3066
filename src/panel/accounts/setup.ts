import { readFile, rm } from 'node:fs/promises'
import { conflict, unauthorized } from '../../contract/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret, Secret } from '../../lib/secret.ts'
import type { Database, UserRow, WorkspaceRow } from '../db/index.ts'
import type { Workspaces } from '../workspaces/index.ts'
import type { Passwords } from './passwords.ts'
import { closeSetup, insertUser, isSetupDone, isSetupSecret, keepSetupSecret } from './store.ts'

export interface SetupInput {
  email: string
  password: string
  name?: string | undefined
  workspace: { name: string; slug: string }
}

/** The first run: the owner account and the first workspace, once. */
export interface Setup {
  /** The secret that makes the set-up possible; null once it is done. */
  secret(): Promise<Secret | null>
  /** Throws `conflict` once it is done, `unauthorized` for another secret. */
  check(secret: string): Promise<void>
  /** Does it. Of two at the same moment one throws `conflict`. */
  run(input: SetupInput): Promise<{ user: UserRow; workspace: WorkspaceRow }>
}

export interface SetupOptions {
  database: Database
  clock: Clock
  passwords: Passwords
  workspaces: Pick<Workspaces, 'create'>
  /** Where the secret is kept until it has been used, so that `pharos setup` on this machine needs no paste. */
  secretFile: string
}

export async function openSetup({ database, clock, passwords, workspaces, secretFile }: SetupOptions): Promise<Setup> {
  let secret: Secret | null = null
  if (await isSetupDone(database.kysely)) await rm(secretFile, { force: true })
  else secret = await firstSecret(database, secretFile)
  return {
    async secret() {
      if (secret && (await isSetupDone(database.kysely))) secret = null
      return secret
    },
    async check(given) {
      if (await isSetupDone(database.kysely)) throw alreadyDone()
      if (!(await isSetupSecret(database.kysely, hashSecret(given))))
        throw unauthorized('This set-up link is not the current one. The panel prints the current one when it starts.')
    },
    async run(input) {
      const passwordHash = await passwords.hash(input.password)
      const user: UserRow = {
        id: newId('usr'),
        email: input.email,
        name: input.name ?? input.email.slice(0, input.email.indexOf('@')),
        password_hash: passwordHash,
        has_password: 1,
        instance_admin: 1,
        created_at: clock.now(),
      }
      const workspace = await database.transact(async (trx) => {
        if (await isSetupDone(trx)) throw alreadyDone()
        await closeSetup(trx)
        await insertUser(trx, user)
        return workspaces.create(trx, { ...input.workspace, ownerId: user.id })
      })
      secret = null
      await rm(secretFile, { force: true })
      return { user, workspace }
    },
  }
}

/** The one in the file while the database knows it, so that a restart does not make a printed link useless. */
async function firstSecret(database: Database, secretFile: string): Promise<Secret> {
  const kept = (await readFile(secretFile, 'utf8').catch(() => '')).trim()
  if (kept !== '' && (await isSetupSecret(database.kysely, hashSecret(kept)))) return new Secret(kept)
  const secret = newSecret('phs')
  await writeFileAtomic(secretFile, `${secret}\n`)
  await keepSetupSecret(database.kysely, hashSecret(secret))
  return new Secret(secret)
}

const alreadyDone = (): Error =>
  conflict('This panel is already set up. Sign in, or ask one of its administrators for an invitation.')
