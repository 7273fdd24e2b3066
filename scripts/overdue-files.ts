import { readdirSync, readFileSync } from 'node:fs'

/** Often enough to see processes before whoever started them is gone. */
const lookEveryMs = 2_000

interface Watched {
  name: string
  since: number
  /** It and everything that it or those have started, as far as it was seen: process ids with the moment that each began. */
  family: Map<number, string>
}

/**
 * Ends test files that do not end by themselves: a process that a failed test has left holds its file open, and so the whole run,
 * which no limit of a single test ends. After `limitMs` the file and all that it started are killed; the runner then calls the file failed.
 * Needs `/proc`; elsewhere nothing is ended.
 * @param runner the process whose children are the test files
 * @param tell is given the file's name
 */
export function endOverdueFiles(runner: number, limitMs: number, tell: (file: string) => void): Disposable {
  const files = new Map<string, Watched>()
  const timer = setInterval(() => {
    const now = performance.now()
    const processes = readProcesses()
    for (const [pid, { parent, began }] of processes)
      if (parent === runner && !files.has(`${pid} ${began}`))
        files.set(`${pid} ${began}`, { name: nameOf(pid), since: now, family: new Map([[pid, began]]) })
    for (const [key, { name, since, family }] of files) {
      grow(family, processes)
      if (family.size === 0) files.delete(key)
      else if (now - since > limitMs) {
        files.delete(key)
        tell(name)
        for (const pid of family.keys()) kill(pid)
      }
    }
  }, lookEveryMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Forgets who has ended, and adds who was started since. */
function grow(family: Map<number, string>, processes: ReturnType<typeof readProcesses>): void {
  for (const [pid, began] of family) if (processes.get(pid)?.began !== began) family.delete(pid)
  for (let before = -1; before !== family.size; ) {
    before = family.size
    for (const [pid, { parent, began }] of processes) if (family.has(parent)) family.set(pid, began)
  }
}

function readProcesses(): Map<number, { parent: number; began: string }> {
  const processes = new Map<number, { parent: number; began: string }>()
  for (const entry of namesIn('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const stat = textOf(`/proc/${entry}/stat`)
    // The second field is a name in parentheses, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, parent, began] = [fields[0], fields[1], fields[19]]
    if (parent !== undefined && began !== undefined && state !== 'Z')
      processes.set(Number(entry), { parent: Number(parent), began })
  }
  return processes
}

const nameOf = (pid: number): string =>
  textOf(`/proc/${pid}/cmdline`)
    .split('\0')
    .findLast((word) => word !== '') ?? `process ${pid}`

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself meanwhile.
  }
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
