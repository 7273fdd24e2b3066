import { z } from 'zod'
import { conflict } from '../../contract/errors.ts'
import { type BackupFormat, type BackupStore, RepositoryKey } from '../../contract/node-backups.ts'
import { type S3Place, s3Read, s3Remove } from '../../lib/s3.ts'
import type { Secret } from '../../lib/secret.ts'
import type { BackupRow } from '../db/index.ts'
import { storeRemoveMs } from './limits.ts'
import { localPlace } from './store.ts'

/** Where new backups go. */
export type StoreConfig =
  | { kind: 'local' }
  | { kind: 's3'; endpoint: string; bucket: string; region: string; prefix: string }

export interface StoreKeys {
  accessKeyId: Secret
  secretAccessKey: Secret
}

/** Where one backup is, as its row says it: a store that was configured when it was made. It holds no keys. */
const Place = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local'), repository: RepositoryKey.optional() }),
  z.strictObject({
    kind: z.literal('s3'),
    endpoint: z.string(),
    bucket: z.string(),
    region: z.string(),
    key: z.string(),
  }),
])
type Place = z.output<typeof Place>

/** What a person saves it as. */
const suffixes: Record<BackupFormat, string> = { zstd: 'tar.zst', gzip: 'tar.gz', restic: 'tar.zst' }

/** Where backups are kept, and with what keys. */
export class Places {
  readonly #store: StoreConfig
  readonly #keys: StoreKeys | null

  constructor(store: StoreConfig, keys: StoreKeys | null) {
    if (store.kind === 's3' && !keys) throw new Error('The keys of the backup store are not set')
    this.#store = store
    this.#keys = keys
  }

  /** For a new row. */
  placeFor({
    serverId,
    nodeId,
    id,
    format,
  }: {
    serverId: string
    nodeId: string
    id: string
    format: BackupFormat
  }): string {
    const store = this.#store
    if (store.kind === 'local') return localPlace
    const { endpoint, bucket, region, prefix } = store
    // A repository of one node alone: nobody else ever writes to it, so a lock that is found there is of a process that was killed.
    const name = format === 'restic' ? `${nodeId}.repository` : `${id}.${suffixes[format]}`
    const key = [prefix, serverId, name].filter((part) => part !== '').join('/')
    return JSON.stringify({ kind: 's3', endpoint, bucket, region, key } satisfies Place)
  }

  isLocal(row: Pick<BackupRow, 'place'>): boolean {
    return placeOf(row).kind === 'local'
  }

  /** The name of the repository on its node that it is in; undefined for the node's own. Of no use for what is in a store. */
  static repositoryOf(row: Pick<BackupRow, 'place'>): string | undefined {
    const place = placeOf(row)
    return place.kind === 'local' ? place.repository : undefined
  }

  /** The place of a repository that changes its node. */
  static repositoryPlace(repository: string): string {
    return JSON.stringify({ kind: 'local', repository } satisfies Place)
  }

  /** What a node needs for a job. */
  orderFor(row: Pick<BackupRow, 'place' | 'name'>): BackupStore {
    const place = placeOf(row)
    if (place.kind === 'local') return place
    const { accessKeyId, secretAccessKey } = this.#keysFor(place, row.name)
    return { ...place, accessKeyId: accessKeyId.reveal(), secretAccessKey: secretAccessKey.reveal() }
  }

  /** Opens an archive that is in a store. */
  async *read(
    row: Pick<BackupRow, 'place' | 'name'>,
    range: { first: number; last: number; signal: AbortSignal },
  ): AsyncGenerator<Uint8Array, void, void> {
    const { at, key } = this.#object(row)
    yield* await s3Read(at, key, range)
  }

  /** Removes an archive from its store, and what an upload of it left there. */
  async remove(row: Pick<BackupRow, 'place' | 'name'>): Promise<void> {
    const { at, key } = this.#object(row)
    await s3Remove(at, key, AbortSignal.timeout(storeRemoveMs))
  }

  /** What a person saves it as. */
  static fileName(name: string, format: BackupFormat): string {
    return `${name.replaceAll(/[/\\]/g, '-')}.${suffixes[format]}`
  }

  #object(row: Pick<BackupRow, 'place' | 'name'>): { at: S3Place; key: string } {
    const place = placeOf(row)
    if (place.kind === 'local') throw new Error('a backup on a node is in no store')
    const { key, ...bucket } = place
    return { at: { ...bucket, ...this.#keysFor(place, row.name) }, key }
  }

  #keysFor(place: Place & { kind: 's3' }, name: string): StoreKeys {
    const store = this.#store
    if (!this.#keys || store.kind !== 's3' || store.endpoint !== place.endpoint || store.bucket !== place.bucket)
      throw conflict(
        `Backup ${name} is in a store that this installation is not set up for any more: bucket ${place.bucket} at ${place.endpoint}.`,
      )
    return this.#keys
  }
}

const placeOf = ({ place }: Pick<BackupRow, 'place'>): Place => Place.parse(JSON.parse(place))
