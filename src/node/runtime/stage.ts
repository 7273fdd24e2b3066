import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { Owner } from '../runtime.ts'

/** What a sandbox shows of this machine. */
export interface Mount {
  kind: 'folder' | 'file'
  source: string
  /** Its name on the stage. */
  name: string
  target: string
  writable: boolean
}

/** Where the private view of the mounts puts things; an empty folder that every Debian and its relatives have. */
const stageFolder = '/mnt'

/** Mounts each `kind source name` under the stage, then becomes the rest. */
const stageScript = `stage=$1
count=$2
shift 2
mount -t tmpfs -o mode=0711,size=64k tmpfs "$stage"
while [ "$count" -gt 0 ]; do
  if [ "$1" = folder ]; then mkdir "$stage/$3"; else : > "$stage/$3"; fi
  mount --bind "$2" "$stage/$3"
  shift 3
  count=$((count - 1))
done
exec "$@"`

/** Mounts as root while that is still possible: the server's user could not reach a path such as /root/…. */
export function staged(mounts: Mount[], owner: Owner): { prefix: string[]; mounts: Mount[] } {
  const binds = mounts.flatMap((mount) => [mount.kind, mount.source, mount.name])
  return {
    prefix: [
      ...['unshare', '--mount', '--propagation', 'slave', 'sh', '-ec', stageScript, 'sh'],
      ...[stageFolder, String(mounts.length), ...binds],
      ...['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'],
    ],
    mounts: mounts.map((mount) => ({ ...mount, source: join(stageFolder, mount.name) })),
  }
}

/** bubblewrap's arguments for `mounts`. */
export const bindArguments = (mounts: readonly Mount[]): string[] =>
  mounts.flatMap((mount) => [mount.writable ? '--bind' : '--ro-bind', mount.source, mount.target])

/** bubblewrap's arguments for the programs and libraries of this machine. */
export function systemArguments(): string[] {
  const links = ['/bin', '/lib', '/lib64', '/lib32', '/sbin'].flatMap((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (!stat) return []
    return stat.isSymbolicLink() ? ['--symlink', `usr${path}`, path] : ['--ro-bind', path, path]
  })
  return ['--ro-bind', '/usr', '/usr', ...links]
}
