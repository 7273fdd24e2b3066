import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseStat } from './proc.ts'

/**
 * The file `status` of a run: one JSON object a line, appended by whoever knows.
 * - `launcher`: the line of `/proc/<pid>/stat` of the outermost process, written by itself before anything else;
 * - `boot`: the boot during which it was written, by the node before the launcher begins;
 * - `child-pid`: the first process of the sandbox, by bubblewrap; `child-start`: when that one started, by the node;
 * - `exit-code`: how the program ended, 128 + n after signal n, by bubblewrap or by the launcher.
 */
export interface RunStatus {
  boot: string | null
  launcher: { pid: number; startTicks: number } | null
  child: { pid: number; startTicks: number | null } | null
  exitCode: number | null
}

const Line = z.object({
  boot: z.string().optional(),
  launcher: z.string().optional(),
  'child-pid': z.int().optional(),
  'child-start': z.int().optional(),
  'exit-code': z.int().optional(),
})

/** Reads a status file; a missing one is an empty one. Lines that are cut off or unknown are passed over. */
export async function readStatus(path: string): Promise<RunStatus> {
  let text = ''
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return parseStatus(text)
}

export function parseStatus(text: string): RunStatus {
  const status: RunStatus = { boot: null, launcher: null, child: null, exitCode: null }
  for (const line of text.split('\n')) {
    const parsed = Line.safeParse(tryJson(line))
    if (!parsed.success) continue
    if (parsed.data.boot) status.boot = parsed.data.boot
    if (parsed.data.launcher) status.launcher = parseStat(parsed.data.launcher)
    if (parsed.data['child-pid'] !== undefined) status.child = { pid: parsed.data['child-pid'], startTicks: null }
    if (parsed.data['child-start'] !== undefined && status.child) status.child.startTicks = parsed.data['child-start']
    if (parsed.data['exit-code'] !== undefined) status.exitCode = parsed.data['exit-code']
  }
  return status
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
