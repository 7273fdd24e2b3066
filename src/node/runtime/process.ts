import { chmod, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError } from '../../contract/errors.ts'
import {
  type Confinement,
  type ConfineRequest,
  type LaunchRequest,
  type Owner,
  type Places,
  type Run,
  type RunEnd,
  serverFiles,
} from '../runtime.ts'
import type { Cgroup, Cgroups } from './cgroups.ts'
import { confineAsUser, Slots } from './confined.ts'
import { launch, shellQuoted } from './launch.ts'
import type { NodeTools } from './node-tools.ts'
import type { Owners } from './owners.ts'
import { shareListing } from './proc.ts'
import { findRun, sweepRun } from './recovery.ts'
import { launcherStatus, sessionShape, type TrackedRunOptions, trackRun } from './tracked-run.ts'

/**
 * The fallback where no sandbox can be made: a plain session of processes, under the server's own user and control group
 * where this machine allows them. It keeps nothing from reading what that user may read.
 */
export interface ProcessOptions {
  owners: Owners | null
  cgroups: Cgroups | null
  tools: NodeTools
}

/**
 * Runs the program and writes down how it ended. It ignores the signals that reach the whole session, and so can report; a
 * program that it starts gets them as usual. Values come through descriptor 4, which the program does not get.
 */
const wrapperScript = `trap : TERM INT QUIT HUP
eval "$(cat <&4)"
"$@" 3>&- 4>&-
printf '{"exit-code":%d}\\n' $? >&3`

export function createProcessRuntime(options: ProcessOptions) {
  const groupOf = (folder: string): Cgroup | null => options.cgroups?.group(folder.split('/').at(-1) ?? '') ?? null
  const places = ({ folder, shared }: { folder: string; shared: string | null }): Places => ({
    home: join(folder, serverFiles.data),
    template: shared ?? join(folder, serverFiles.data),
    path: `${dirname(options.tools.node)}:/usr/local/bin:/usr/bin:/bin:/usr/games`,
  })
  const table = shareListing()
  const tracked = (folder: string, cgroup = groupOf(folder)): TrackedRunOptions => ({
    folder,
    shape: sessionShape,
    cgroup,
    table,
  })
  const slots = new Slots(options.cgroups)
  return {
    places,

    async prepare(folder: string): Promise<Owner | null> {
      if (!options.owners) {
        await mkdir(join(folder, serverFiles.data), { recursive: true, mode: 0o700 })
        return null
      }
      // The server's user must pass through to its data; it still cannot list what is there.
      await chmod(folder, 0o711)
      return options.owners.prepare(folder)
    },

    async start(request: LaunchRequest): Promise<Run> {
      const owner = await this.prepare(request.folder)
      const cgroup = groupOf(request.folder)
      const joins = (await cgroup?.create(request.limits)) ?? []
      const drop = owner
        ? ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--no-new-privs']
        : []
      const { exited } = await launch({
        folder: request.folder,
        cwd: places(request).home,
        joins,
        command: [...drop, '/bin/sh', '-c', wrapperScript, 'sh', ...request.command],
        secretInput: Object.entries(request.environment)
          .map(([name, value]) => `export ${name}=${shellQuoted(value)}`)
          .join('\n'),
      })
      const status = await launcherStatus(request.folder, (now) => now.launcher !== null)
      if (!status) {
        await sweepRun(tracked(request.folder, cgroup))
        throw new AppError('conflict', 'The process could not be started; the newest lines of the console say why')
      }
      return trackRun({ ...tracked(request.folder, cgroup), launcherExited: exited })
    },

    confine: (request: ConfineRequest): Promise<Confinement> => confineAsUser({ ...options, slots }, request),
    find: (folder: string): Promise<Run | RunEnd | null> => findRun(tracked(folder)),
    sweep: (folder: string): Promise<void> => sweepRun(tracked(folder)),
  }
}
