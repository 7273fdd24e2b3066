import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { conflict } from '../../contract/errors.ts'
import { inWords, leavingRoom } from './make.ts'
import type { BackupPlace } from './place.ts'

/** Of an archive that another node made. */
export interface ExpectedArchive {
  checksum: string
  /** Bytes. */
  size: number
}

/**
 * Puts an archive that another node made on this machine's disk, under the name that its partial file holds already. Rejects with an
 * `AppError` where it is not what was made.
 */
export async function takeArchive(
  place: BackupPlace,
  { server, id }: { server: string; id: string },
  expected: ExpectedArchive,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const folder = place.folder(server)
  const hash = createHash('sha256')
  let size = 0
  const counted = async function* (): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of content) {
      size += piece.length
      if (size > expected.size) throw changed()
      hash.update(piece)
      yield piece
    }
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await pipeline(
      leavingRoom(counted(), folder),
      createWriteStream(place.partial(server, id), { flags: 'r+', mode: 0o600 }),
    )
    if (size !== expected.size || hash.digest('hex') !== expected.checksum) throw changed()
    await place.complete(server, id)
  } catch (error) {
    throw inWords(error)
  }
}

const changed = () => conflict('What arrives of a backup is not what was made: its checksum differs')
