/**
 * Compares HTTP servers side by side: each has a process of its own, one more makes the load, rounds are interleaved, and
 * medians are compared. `capacity` is the ratio of CPU time per request, which other work on the machine disturbs least;
 * `throughput` that of requests per second.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

const connections = 32

/** Where a server under test listens and what to ask it. */
export interface Target {
  port: number
  /** The whole request, head and blank line. */
  request: string
}

/** In a server's process: tells the parent the target, and its CPU time whenever it is asked. */
export function reportTarget(target: Target): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMicros: user + system })
  })
  process.send?.(target)
}

/** In the load's process: keeps its connections busy for `seconds`; counts whole replies.
 * @param polls takes a core for itself: for a server that has the other one to itself, not for a chain of processes. */
export async function makeLoad(
  { port, request }: Target,
  seconds: number,
  { polls }: { polls: boolean },
): Promise<void> {
  let replies = 0
  const until = performance.now() + seconds * 1000
  // Polling instead of sleeping: on a virtual machine waking a sleeper costs the server that writes to it more than a whole
  // reply does, and only a server slow enough to let the load sleep would pay that.
  const spin = (): void => {
    if (performance.now() < until) setImmediate(spin)
  }
  if (polls) spin()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = net.connect(port, '127.0.0.1')
      await once(connection, 'connect')
      connection.setNoDelay(true)
      connection.write(request)
      let missing = 0
      connection.on('data', (chunk: Buffer) => {
        // A head comes in one piece here; a body may not.
        missing = (missing > 0 ? missing : lengthOfReply(chunk)) - chunk.length
        if (missing > 0) return
        replies++
        if (performance.now() < until) connection.write(request)
        else connection.destroy()
      })
      await once(connection, 'close')
    }),
  )
  process.send?.({ replies })
}

interface Measured {
  name: string
  perSecond: number
  cpuMicros: number
}

/**
 * Forks `script` once per name (the server calls `reportTarget`) and once per round as `load <target> <seconds>`, and prints
 * a line per server and the ratios of the last to the first.
 */
export async function compareServers(
  script: string,
  names: readonly [string, string, ...string[]],
  rounds: number,
  seconds: number,
): Promise<void> {
  const servers: { name: string; child: ChildProcess; target: Target; perSecond: number[]; cpuMicros: number[] }[] = []
  for (const name of names) {
    const child = fork(script, [name])
    const [target] = (await once(child, 'message')) as [Target]
    servers.push({ name, child, target, perSecond: [], cpuMicros: [] })
  }
  try {
    // The first round only warms up.
    for (let round = -1; round < rounds; round++) {
      for (const { child, target, perSecond, cpuMicros } of servers) {
        const before = await cpuOf(child)
        const began = performance.now()
        const load = fork(script, ['load', JSON.stringify(target), String(seconds)])
        const [{ replies }] = (await once(load, 'message')) as [{ replies: number }]
        const took = (performance.now() - began) / 1000
        if (round < 0) continue
        perSecond.push(replies / took)
        cpuMicros.push(((await cpuOf(child)) - before) / replies)
      }
    }
  } finally {
    for (const { child } of servers) child.kill()
  }
  const measured = servers.map<Measured>(({ name, perSecond, cpuMicros }) => ({
    name,
    perSecond: median(perSecond),
    cpuMicros: median(cpuMicros),
  }))
  for (const { name, perSecond, cpuMicros } of measured)
    console.log(
      `${name.padEnd(6)} ${perSecond.toFixed(0).padStart(7)} requests/s  ${cpuMicros.toFixed(1).padStart(6)} µs CPU per request`,
    )
  const [plain, ours] = measured
  if (plain && ours)
    console.log(
      `ratio: throughput ${(ours.perSecond / plain.perSecond).toFixed(2)}, capacity ${(plain.cpuMicros / ours.cpuMicros).toFixed(2)}`,
    )
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function cpuOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  return ((await once(child, 'message')) as [{ cpuMicros: number }])[0].cpuMicros
}

function lengthOfReply(first: Buffer): number {
  const text = first.toString('latin1')
  const head = text.indexOf('\r\n\r\n')
  const body = /content-length: (\d+)/i.exec(text)?.[1]
  if (!text.startsWith('HTTP/1.1 200 ') || head < 0 || !body) throw new Error(`Unexpected reply: ${text}`)
  return head + 4 + Number(body)
}
