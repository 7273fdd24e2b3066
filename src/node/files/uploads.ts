import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { conflict } from '../../contract/errors.ts'
import { FileAppender } from './file-appender.ts'
import { uploadsMax } from './limits.ts'
import { openError, partsOf, quoted } from './place.ts'
import type { ServerFiles } from './server-files.ts'
import { Reservation } from './space.ts'

export interface Part {
  /** Names the upload: parts with the same id are one file. */
  id: string
  path: string
  /** Where this part begins. */
  offset: number
  /** Of the whole file; without it this part is the last. */
  total: number | null
  overwrite: boolean
  content: AsyncIterable<Uint8Array>
}

/** Uploads that have a part on its way: a second one at the same time would mix with it. */
const busy = new WeakMap<ServerFiles, Set<string>>()

/**
 * Appends one part to an upload and, with the last one, puts the file in its place. What has arrived stays when the part breaks
 * off in the middle: its sender goes on from there, before it is a day old.
 */
export async function uploadPart(
  files: ServerFiles,
  part: Part,
  now: number,
): Promise<{ received: number; complete: boolean }> {
  if (partsOf(part.path).length === 0) throw conflict('An upload needs the name of a file')
  const running = busy.get(files) ?? new Set()
  busy.set(files, running)
  if (running.has(part.id))
    throw conflict(`Another part of ${quoted(part.path)} is on its way; send one after the other`)
  running.add(part.id)
  try {
    if (part.offset === 0 && (await files.scratch.uploadsNow(now)) >= uploadsMax)
      throw conflict(`This server has ${uploadsMax} unfinished uploads; finish some of them, or wait until they expire`)
    return await append(files, part)
  } finally {
    running.delete(part.id)
  }
}

async function append(files: ServerFiles, part: Part): Promise<{ received: number; complete: boolean }> {
  const { path, offset, total } = part
  const partial = await files.scratch.upload(part.id)
  await using file = await open(
    partial,
    constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  )
  // Without a total there is one part: it begins anew.
  if (total === null && offset === 0) await file.truncate(0)
  let at = (await file.stat()).size
  // What is here already counts as well until it is in place.
  using reservation = await Reservation.of(files.space, total ?? 0)
  reservation.add(at)
  let begun = false
  const appender = new FileAppender(file)
  try {
    for await (const chunk of part.content) {
      if (chunk.length === 0) continue
      if (!begun && offset !== at) throw conflict(`${quoted(path)}: ${at} bytes have arrived so far; go on from there`)
      begun = true
      if (total !== null && at + chunk.length > total)
        throw conflict(`${quoted(path)}: more than the ${total} bytes that were announced`)
      reservation.add(chunk.length)
      await appender.add(chunk)
      at += chunk.length
    }
  } finally {
    await appender.flush()
  }
  if (total !== null && at < total) return { received: at, complete: false }
  await file.sync()
  const temporary = await files.scratch.next()
  await rename(partial, temporary)
  try {
    const replaced = await files.put(temporary, file, path, { overwrite: part.overwrite, create: true })
    reservation.keep(replaced)
    return { received: at, complete: true }
  } catch (error) {
    await rm(temporary, { force: true })
    throw openError(path, error)
  }
}
