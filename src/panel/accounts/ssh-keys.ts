import type { z } from 'zod'
import type { SshKey } from '../../contract/api/ssh-keys.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { printableLine } from '../../lib/printable.ts'
import { type Changes, type Database, isUniqueViolation, type SshKeyRow } from '../db/index.ts'
import { sshKeysPerUserMax } from './limits.ts'
import { deleteSshKey, findSshKey, insertSshKey, listSshKeys, touchSshKey } from './ssh-key-store.ts'
import { fingerprintOf, readPublicKey } from './ssh-public-key.ts'

type View = z.input<typeof SshKey>

/** The public keys by which people reach their files. */
export interface SshKeys {
  list(userId: string): Promise<View[]>
  /** `tokenId`: the API key that adds it. Throws `invalid_request` or `conflict`. */
  add(userId: string, key: { publicKey: string; name?: string | undefined; tokenId: string | null }): Promise<View>
  /** Throws `not_found`. */
  remove(userId: string, id: string): Promise<void>
  /** The key of the user that is this one, as a client sends it: to be believed once its signature is checked. */
  find(userId: string, blob: Uint8Array): Promise<SshKeyRow | undefined>
  byId(userId: string, id: string): Promise<SshKeyRow | undefined>
  /** Somebody has signed in by it. */
  touch(id: string): Promise<void>
}

export function createSshKeys(options: { database: Database; changes: Changes; clock: Clock }): SshKeys {
  const { database, changes, clock } = options
  return {
    list: async (userId) => (await listSshKeys(database.kysely, userId)).map(viewOf),
    async add(userId, { publicKey, name, tokenId }) {
      const { type, fingerprint, comment } = readPublicKey(publicKey)
      const row: SshKeyRow = {
        id: newId('ssh'),
        user_id: userId,
        token_id: tokenId,
        name: name ?? (printableLine(comment).slice(0, 80).trim() || type),
        type,
        fingerprint,
        created_at: clock.now(),
        last_used_at: null,
      }
      try {
        await database.transact(async (trx) => {
          if ((await listSshKeys(trx, userId)).length >= sshKeysPerUserMax)
            throw conflict(`An account has at most ${sshKeysPerUserMax} SSH keys. Remove one that is no longer used.`)
          await insertSshKey(trx, row)
        })
      } catch (error) {
        if (isUniqueViolation(error)) throw conflict(`The account has this key already: ${fingerprint}`)
        throw error
      }
      return viewOf(row)
    },
    async remove(userId, id) {
      if (!(await deleteSshKey(database.kysely, userId, id))) throw notFound(`SSH key ${id}`)
      await changes.publish({ of: 'user', id: userId })
    },
    find: (userId, blob) => findSshKey(database.kysely, userId, { column: 'fingerprint', value: fingerprintOf(blob) }),
    byId: (userId, id) => findSshKey(database.kysely, userId, { column: 'id', value: id }),
    async touch(id) {
      await touchSshKey(database.kysely, id, clock.now())
    },
  }
}

const viewOf = (row: SshKeyRow): View => ({
  id: row.id,
  name: row.name,
  type: row.type,
  fingerprint: row.fingerprint,
  createdAt: isoTime(row.created_at),
  lastUsedAt: row.last_used_at === null ? null : isoTime(row.last_used_at),
  tokenId: row.token_id,
})
