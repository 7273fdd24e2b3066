import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { DatabaseSum } from '../contract/node-databases.ts'

/** How a statement was made: what it means may depend on it. */
export const Circumstances = z.strictObject({
  sqlMode: z.string().max(2000),
  collation: z.string().max(100),
  timeZone: z.string().max(100).nullable(),
})
export type Circumstances = z.output<typeof Circumstances>

/**
 * A database on its way to another server, in the order in which it is made again there. Whoever makes it has the rights of its own
 * account and no more: what is in a statement is its owner's affair.
 */
export const CopyItem = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('database'), sql: z.string() }),
  z.strictObject({ kind: z.literal('statement'), sql: z.string(), as: Circumstances.nullable() }),
  /** Views may need each other, in any order. */
  z.strictObject({ kind: z.literal('view'), name: z.string(), sql: z.string(), as: Circumstances.nullable() }),
  z.strictObject({ kind: z.literal('end') }),
])
export type CopyItem = z.output<typeof CopyItem>

/** Sums of digests are kept to this many bits. */
const sumBits = 256

/** Adds up what is read of a database. */
export class DatabaseSummer {
  #sum = 0n
  #objects = 0
  #rows = 0

  object(kind: string, name: string): void {
    this.#add('object', kind, name)
    this.#objects += 1
  }

  /** @param values as they would be written into a statement. */
  row(table: string, values: string): void {
    this.#add('row', table, values)
    this.#rows += 1
  }

  end(): DatabaseSum {
    return { digest: this.#sum.toString(16).padStart(64, '0'), objects: this.#objects, rows: this.#rows }
  }

  #add(...words: string[]): void {
    const digest = createHash('sha256').update(words.join('\0')).digest('hex')
    this.#sum = BigInt.asUintN(sumBits, this.#sum + BigInt(`0x${digest}`))
  }
}
