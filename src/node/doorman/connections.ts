import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sight } from './idleness.ts'
import { tableBytesMax } from './limits.ts'

/**
 * Whether anybody is connected to these ports, by the kernel's tables of one network namespace (`/proc/<pid>/net`). UDP has no
 * connections: who listens there may be in use without a trace.
 */
export async function sightOf(tables: ConnectionTables, ports: readonly number[]): Promise<Sight> {
  const [tcp, udp] = await Promise.all([tables.tcp(), tables.udp()])
  if (tcp === null || udp === null) return { is: 'unknown', why: 'this node cannot see its connections' }
  const own = new Set(ports)
  if (tcp.some(({ port, state }) => own.has(port) && state === established)) return { is: 'used' }
  if (udp.some(({ port }) => own.has(port)))
    return { is: 'unknown', why: 'it listens on UDP, and its kind is not asked who plays' }
  return { is: 'empty' }
}

export interface ConnectionTables {
  tcp(): Promise<Row[] | null>
  udp(): Promise<Row[] | null>
}

interface Row {
  /** On this machine. */
  port: number
  state: string
}

/** The tables of one namespace, each read at most once. */
export function connectionTables(folder: string | null): ConnectionTables {
  const once = (names: readonly string[]) => {
    let read: Promise<Row[] | null> | undefined
    return () => (read ??= readTables(folder, names))
  }
  return { tcp: once(['tcp', 'tcp6']), udp: once(['udp', 'udp6']) }
}

const established = '01'

async function readTables(folder: string | null, names: readonly string[]): Promise<Row[] | null> {
  if (folder === null) return null
  const tables = await Promise.all(names.map((name) => readTable(join(folder, name))))
  // A machine without IPv6 has no table of it; one without any cannot be looked at.
  const first = tables[0]
  return first ? tables.flatMap((rows) => rows ?? []) : null
}

async function readTable(path: string): Promise<Row[] | null> {
  try {
    await using file = await open(path)
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of file.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > tableBytesMax) return null
      parts.push(part)
    }
    return Buffer.concat(parts).toString('latin1').split('\n').slice(1).flatMap(rowOf)
  } catch {
    return null
  }
}

/** `0: 0100007F:1F90 0100007F:C1A2 01 …`: number, this end, the other end, state. */
function rowOf(line: string): Row[] {
  const [, local, , state] = line.trim().split(/\s+/)
  const port = local?.split(':')[1]
  return port === undefined || state === undefined ? [] : [{ port: Number.parseInt(port, 16), state }]
}
