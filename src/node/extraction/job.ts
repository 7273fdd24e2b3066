import { z } from 'zod'

/** What an archive may be. `gz` and `zst` are one compressed file. */
export const archiveKinds = ['zip', 'tar', 'tar.gz', 'tar.zst', 'gz', 'zst'] as const

/** What to unpack and how far: the node writes it, the process that unpacks obeys it. */
export const Job = z.strictObject({
  kind: z.enum(archiveKinds),
  /** Of the one file in a `gz` or `zst`. */
  name: z.string(),
  /** Bytes of files, and what is said of more. */
  bytesMax: z.int(),
  tooLarge: z.string(),
  /** Files, folders and links, and what is said of more. */
  entriesMax: z.int(),
  tooMany: z.string(),
  /** Folders inside folders. */
  depthMax: z.int(),
  /**
   * True for what was packed from a server's own files: names are any bytes, links lead anywhere, times are kept. Else a name
   * that is no UTF-8 and a link that leads out are refused.
   */
  faithful: z.boolean(),
  /** Only these paths and what is in them; null for everything. */
  only: z.array(z.string()).nullable(),
})
export type Job = z.output<typeof Job>

export const Outcome = z.union([
  z.strictObject({ files: z.int().nonnegative(), bytes: z.int().nonnegative() }),
  z.strictObject({ refused: z.string().max(1000) }),
])

/** What was unpacked: files, and the bytes in them. */
export interface Unpacked {
  files: number
  bytes: number
}

/** What this archive holds is not put on a disk, for the reason in the message. */
export class Refused extends Error {}

/** A name for people, whatever its bytes. @param name one character for each byte. */
export function shown(name: string): string {
  const text = Buffer.from(name, 'latin1').toString()
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
