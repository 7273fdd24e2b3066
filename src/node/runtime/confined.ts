import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Confinement, ConfineRequest } from '../runtime.ts'
import type { Cgroup, Cgroups } from './cgroups.ts'
import type { NodeTools } from './node-tools.ts'
import { bindArguments, type Mount, staged, systemArguments } from './stage.ts'

export interface ConfineOptions {
  slots: Slots
  tools: NodeTools
}

/** Control groups for programs that end soon. Their names are used again, so that a killed node leaves nothing behind for ever. */
export class Slots {
  readonly #cgroups: Cgroups | null
  readonly #taken = new Set<number>()

  constructor(cgroups: Cgroups | null) {
    this.#cgroups = cgroups
  }

  take(): { group: Cgroup; free(): void } | null {
    if (!this.#cgroups) return null
    let number = 1
    while (this.#taken.has(number)) number += 1
    this.#taken.add(number)
    return { group: this.#cgroups.group(`confined-${number}`), free: () => this.#taken.delete(number) }
  }
}

/** Where things are inside. */
const insideFolder = '/home/work'
const insideProgram = '/opt/program'
const insideNode = '/opt/node'

/** Joins the control groups, gives up core dumps, and becomes the rest. */
const joinScript = `ulimit -c 0
joins=$1
shift
while [ "$joins" -gt 0 ]; do
  echo $$ > "$1" || exit 125
  shift
  joins=$((joins - 1))
done
exec "$@"`

/** In bubblewrap, with nothing but itself and its folder in sight, no network, and never alive longer than whoever started it. */
export async function confineInSandbox(
  options: ConfineOptions & { canDisableUserns: boolean },
  request: ConfineRequest,
): Promise<Confinement> {
  const { owner, program, nodeOptions } = request
  const mounts = mountsOf(request, options.tools)
  const plan = owner ? staged(mounts, owner) : { prefix: [], mounts }
  return confined(options, request, '/', [
    ...plan.prefix,
    ...['bwrap', '--unshare-user', ...(options.canDisableUserns ? ['--disable-userns'] : [])],
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-net', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--hostname', 'work'],
    ...systemArguments(),
    // The dynamic linker's list of libraries; Node.js may need some that are not in the usual places.
    ...['--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache'],
    ...['--proc', '/proc', '--dev', '/dev', ...bindArguments(plan.mounts)],
    ...['--remount-ro', '/', '--chdir', insideFolder, '--clearenv', '--'],
    ...[insideNode, ...nodeOptions, join(insideProgram, program.main)],
  ])
}

/** Without a sandbox: as the server's user, in its control group. */
export function confineAsUser(options: ConfineOptions, request: ConfineRequest): Promise<Confinement> {
  const { owner, program, nodeOptions } = request
  const drop = owner
    ? ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups', '--no-new-privs']
    : []
  const main = join(program.root, program.main)
  return confined(options, request, request.folder, [...drop, options.tools.node, ...nodeOptions, main])
}

async function confined(
  { slots }: ConfineOptions,
  { limits }: ConfineRequest,
  cwd: string,
  command: readonly string[],
): Promise<Confinement> {
  const slot = slots.take()
  try {
    const joins = (await slot?.group.create(limits)) ?? []
    return {
      command: ['/bin/sh', '-c', joinScript, 'sh', String(joins.length), ...joins, ...command],
      cwd,
      async [Symbol.asyncDispose]() {
        await slot?.group.kill()
        await slot?.group.remove()
        slot?.free()
      },
    }
  } catch (error) {
    slot?.free()
    throw error
  }
}

function mountsOf({ folder, program }: ConfineRequest, tools: NodeTools): Mount[] {
  return [
    { kind: 'folder', source: folder, name: 'work', target: insideFolder, writable: true },
    { kind: 'file', source: tools.node, name: 'node', target: insideNode, writable: false },
    ...program.parts.map((part, index): Mount => {
      const source = join(program.root, part)
      const kind = statSync(source).isDirectory() ? 'folder' : 'file'
      return { kind, source, name: `part-${index}`, target: join(insideProgram, part), writable: false }
    }),
  ]
}
