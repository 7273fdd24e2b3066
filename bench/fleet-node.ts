/**
 * What a node with many servers costs while nothing happens: memory and CPU time of the node's process and of what stands around each
 * program, and how long it takes to start them all, and to be back after the node was killed with -9. Beside it one process that starts as many bubblewraps with the same program and
 * only waits for them, which is the least that anything that starts them could do.
 *
 *   node bench/fleet-node.ts [servers] [seconds of rest]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { descendants, listProcesses } from '../src/node/runtime/proc.ts'
import { readStatus } from '../src/node/runtime/status-file.ts'
import { cpuSeconds, type PanelAndNode, residentMegabytes, startPanelAndNode, until } from './panel-and-node.ts'

/** Says one line and then waits for another that never comes, as a game does that nobody plays. */
const program = 'echo up; exec cat'

/** What each server may have, in MiB: enough for `cat`, little enough for hundreds of them on a small machine. */
const perServer = { memory: 32, disk: 16 }

/** Ports of the node: its servers are given one each, though they listen on none. */
const ports = { first: 20_100, last: 20_999 }

/** Requests that are on their way to the panel at a time. */
const atOnce = 8

/** How long all of them may take to start, ms: a busy machine needs most of a second for each. */
const startMs = 600_000

/** How long what has just been started is left alone before its rest is measured, ms. */
const settleMs = 10_000

if (process.argv[2] === 'bare') await bare(Number(process.argv[3]))
else await compare(Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 20))

async function compare(count: number, restSeconds: number): Promise<void> {
  console.log(`${count} servers, ${restSeconds} s of rest, load average ${load()} at the beginning`)
  const folder = await mkdtemp(join(tmpdir(), 'pharos-bench-'))
  await using world = await startPanelAndNode(folder, program, { ports })
  const { nodePid, panelPid, api } = world
  await using leaving = new AsyncDisposableStack()
  // Servers outlive their node, also where this is given up halfway.
  leaving.defer(() => killServers(world))
  await report('node, one stopped server', nodePid, restSeconds)

  const made = await timed(() => createServers(world, count - 1))
  await report(`node, ${count} stopped servers`, nodePid, restSeconds)
  const ids = await serverIds(world)
  const started = await timed(async () => {
    await inTurns(ids, (serverId) => api.power({ params: { serverId }, body: { action: 'start' } }))
    await until(async () => (await api.servers()).every(({ status }) => status === 'running'), 100, startMs)
  })
  await sleep(settleMs)
  await report(`node, ${count} running servers`, nodePid, restSeconds)
  await report('panel beside it', panelPid, restSeconds)
  const around = await aroundServers(folder, ids)
  console.log(
    `around each program: ${around.processes} processes, ${around.kilobytes} KB; made in ${made} ms, started in ${started} ms`,
  )

  const killedAt = performance.now()
  await world.restartNode()
  const back = Math.round(performance.now() - killedAt)
  await until(async () => (await api.servers()).every(({ status }) => status === 'running'), 20)
  const known = Math.round(performance.now() - killedAt)
  console.log(`killed: the node has started after ${back} ms, the panel knows every server's state after ${known} ms`)

  const child = fork(import.meta.filename, ['bare', String(count)])
  const [ms] = (await once(child, 'message')) as [number]
  await sleep(settleMs)
  await report(`bare process, ${count} bubblewraps`, child.pid ?? 0, restSeconds)
  const outer = descendants(await listProcesses(), child.pid ?? 0).filter(({ pid }) => pid !== child.pid)
  const wraps = await withoutPrograms(outer.map(({ pid }) => pid))
  const kilobytes = Math.round((await proportionalKilobytes(wraps)) / count)
  console.log(`around each program: ${wraps.length / count} processes, ${kilobytes} KB; started in ${ms} ms`)
  child.disconnect()
  await once(child, 'exit')

  console.log(`load average ${load()} at the end`)
}

async function createServers({ api }: PanelAndNode, count: number): Promise<void> {
  await inTurns(Array.from({ length: count }), (_, index) =>
    api.createServer({
      body: {
        name: `Idle ${index}`,
        template: 'command',
        start: false,
        variables: { COMMAND: program },
        resources: perServer,
      },
    }),
  )
  await until(async () => (await api.servers()).every(({ status }) => status === 'offline'), 100)
}

async function killServers(world: PanelAndNode): Promise<void> {
  await inTurns(await serverIds(world), (serverId) =>
    world.api.power({ params: { serverId }, body: { action: 'kill' } }),
  )
  await until(async () => (await world.api.servers()).every(({ status }) => status === 'offline'), 100, startMs)
}

async function serverIds({ api }: PanelAndNode): Promise<string[]> {
  return (await api.servers()).map(({ id }) => id.slice('servers/'.length))
}

async function report(what: string, pid: number, seconds: number): Promise<void> {
  const before = await cpuSeconds(pid)
  const from = performance.now()
  await sleep(seconds * 1000)
  const share = ((await cpuSeconds(pid)) - before) / ((performance.now() - from) / 1000)
  const resident = Math.round(await residentMegabytes(pid))
  const proportional = Math.round((await proportionalKilobytes([pid])) / 1000)
  console.log(
    `${what}: ${resident} MB resident (${proportional} MB its share), ${(share * 100).toFixed(1)} % of a core`,
  )
}

/** What the runtime keeps beside each program, on average. */
async function aroundServers(folder: string, ids: string[]): Promise<{ processes: number; kilobytes: number }> {
  const all = await listProcesses()
  const trees = await Promise.all(
    ids.map(async (id) => {
      const { launcher } = await readStatus(join(folder, 'node', 'servers', id, 'status'))
      return launcher ? descendants(all, launcher.pid).map(({ pid }) => pid) : []
    }),
  )
  const wraps = await withoutPrograms(trees.flat())
  return {
    processes: wraps.length / ids.length,
    kilobytes: Math.round((await proportionalKilobytes(wraps)) / ids.length),
  }
}

async function withoutPrograms(pids: number[]): Promise<number[]> {
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')))
  return pids.filter((_, index) => names[index]?.trim() !== 'cat')
}

/** Their memory, what they share with others counted in part, in KB of 1000 bytes. */
async function proportionalKilobytes(pids: number[]): Promise<number> {
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')))
  const kibibytes = texts.reduce((sum, text) => sum + Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0)
  return (kibibytes * 1024) / 1000
}

async function inTurns<T>(items: readonly T[], work: (item: T, index: number) => Promise<unknown>): Promise<void> {
  const waiting = [...items.entries()]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next[1], next[0])
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now()
  await work()
  return Math.round(performance.now() - from)
}

function load(): string {
  return loadavg()[0]?.toFixed(1) ?? ''
}

/** Starts them, says how long that took, and ends them when whoever asked has gone. */
async function bare(count: number): Promise<void> {
  const from = performance.now()
  const children: ChildProcess[] = Array.from({ length: count }, () => spawnBare())
  await Promise.all(children.map((child) => child.stdout && once(child.stdout, 'data')))
  process.send?.(Math.round(performance.now() - from))
  await once(process, 'disconnect')
  for (const child of children) child.kill('SIGKILL')
}

function spawnBare(): ChildProcess {
  return spawn(
    'bwrap',
    [
      ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--die-with-parent', '--new-session'],
      ...['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--clearenv'],
      ...['/bin/sh', '-c', program],
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
}
