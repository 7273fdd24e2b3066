import { join } from 'node:path'
import { type Run, type RunEnd, serverFiles } from '../runtime.ts'
import { readBootId } from './proc.ts'
import { readStatus } from './status-file.ts'
import { anyAlive, clearAway, launcherStatus, type TrackedRunOptions, trackRun } from './tracked-run.ts'

/** Finds the run that an earlier life of this node began in this folder: still going, or how it ended. */
export async function findRun(options: TrackedRunOptions): Promise<Run | RunEnd | null> {
  const { folder, shape, cgroup } = options
  const first = await readStatus(join(folder, serverFiles.status))
  if (first.boot === null || first.boot !== (await readBootId())) {
    // Another boot: every process id in the file belongs to somebody else now.
    await cgroup?.kill()
    await cgroup?.remove()
    return first.boot === null
      ? null
      : { code: first.exitCode, signal: null, outOfMemory: false, machineRestarted: first.exitCode === null }
  }
  const status = first.launcher ? first : await launcherStatus(folder, (now) => now.launcher !== null)
  if (!status) {
    await cgroup?.kill()
    await cgroup?.remove()
    return { code: null, signal: null, outOfMemory: false, machineRestarted: false }
  }
  if (status.exitCode === null && anyAlive(status)) return trackRun(options)
  return clearAway(await readStatus(join(folder, serverFiles.status)), shape, cgroup, false)
}

/** Ends whatever still runs of this folder. */
export async function sweepRun(options: TrackedRunOptions): Promise<void> {
  const found = await findRun(options)
  if (found && 'ended' in found) {
    await found.kill()
    await found.ended
  }
}
