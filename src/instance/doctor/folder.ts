import { dirname, join } from 'node:path'
import { unfinishedRestoreFile } from '../../lib/unfinished-restore.ts'
import { type Finding, limited, missing, ok } from './finding.ts'
import type { Machine } from './machine.ts'
import { type DoctorRequest, isTo } from './request.ts'

const mebibyte = 1024 * 1024

/** Below this a database soon cannot grow, in bytes. */
const freeBytesMin = 256 * mebibyte
/** A server's files, its backup and a restore of it beside each other; in bytes. */
const freeBytesGood = 5 * 1024 * mebibyte

/** The data folder: whether it can be written, how much fits, and what its file system can do. */
export async function examineFolder(request: DoctorRequest): Promise<Finding[]> {
  const { machine, dataDir } = request
  const findings: Finding[] = []
  const { at, is } = await nearest(machine, dataDir)
  if (is !== 'writable folder')
    return [
      missing(
        'data-folder',
        is === 'file' ? `${at} is no folder` : `${at} may not be written by this user`,
        'nothing can be kept, so nothing starts',
        is === 'file'
          ? 'name another folder with --data-dir'
          : `ask as the user that runs Pharos, give ${at} to that user, or name another folder with --data-dir`,
      ),
    ]
  findings.push(ok('data-folder', at === dataDir ? `${dataDir} can be written` : `${dataDir} can be made`))
  if ((await machine.place(unfinishedRestoreFile(dataDir))) === 'file')
    findings.push(
      missing(
        'restore',
        `a restore into ${dataDir} did not finish`,
        'nothing starts on parts of two instances',
        'run "pharos restore" with --replace once more',
      ),
    )
  const free = await machine.freeBytes(at)
  const gibibytes = `${(free / 1024 / mebibyte).toFixed(1)} GiB are free in ${at}`
  if (free < freeBytesMin)
    findings.push(
      missing('disk', gibibytes, 'the database cannot grow, and servers cannot be installed', 'free some space'),
    )
  else if (free < freeBytesGood && isTo(request, 'node'))
    findings.push(
      limited(
        'disk',
        gibibytes,
        'there is little room for servers and their backups',
        'free some space, or put the data folder on a larger disk',
      ),
    )
  else findings.push(ok('disk', gibibytes))
  const mount = mountOf(at, parseMounts((await machine.text('/proc/self/mountinfo')) ?? ''))
  if (mount) findings.push(...fileSystemFindings(mount))
  if (isTo(request, 'node')) findings.push(await quotaFinding(machine, mount))
  return findings
}

async function nearest(
  machine: Machine,
  path: string,
): Promise<{ at: string; is: Awaited<ReturnType<Machine['place']>> }> {
  for (let at = path; ; at = dirname(at)) {
    const is = await machine.place(at)
    if (is !== 'nothing' || at === dirname(at)) return { at, is }
  }
}

export interface Mount {
  point: string
  type: string
  /** Of the mount and of the file system. */
  options: readonly string[]
}

/** The lines of /proc/self/mountinfo. */
export function parseMounts(table: string): Mount[] {
  return table.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ')
    const [, , , , point, own] = left?.split(' ') ?? []
    const [type, , shared] = right?.split(' ') ?? []
    if (!point || !type) return []
    // Spaces and the like are written in octal.
    const plain = point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
    return [{ point: plain, type, options: [...(own ?? '').split(','), ...(shared ?? '').split(',')] }]
  })
}

/** The mount that a path is on; the last one of a place hides those before it. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  const over = mounts.filter(({ point }) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`))
  return over.reduce<Mount | null>(
    (best, mount) => (best && best.point.length > mount.point.length ? best : mount),
    null,
  )
}

function fileSystemFindings({ type, point }: Mount): Finding[] {
  if (type === 'tmpfs' || type === 'ramfs')
    return [
      limited(
        'file-system',
        `the data folder is in memory (${type} at ${point})`,
        'everything is gone when the machine restarts',
        'name a folder on a disk with --data-dir',
      ),
    ]
  if (/^(?:nfs4?|cifs|smb3?|9p|fuse\.sshfs)$/.test(type))
    return [
      limited(
        'file-system',
        `the data folder is on a network file system (${type} at ${point})`,
        'the locks of the database may not hold there, which can destroy it',
        'name a folder on a disk of this machine, or use PostgreSQL (database-url)',
      ),
    ]
  return []
}

async function quotaFinding({ uid, program }: Machine, mount: Mount | null): Promise<Finding> {
  const cost = 'disk limits are watched: a game that passes its limit is stopped within seconds, not held at it'
  const because = (found: string, next: string): Finding => limited('quotas', found, cost, next)
  const has = mount?.options.some((option) => option === 'prjquota' || option === 'pquota')
  if (!has)
    return because(
      `the file system of the data folder${mount ? ` (${mount.type} at ${mount.point})` : ''} has no project quotas`,
      'use an ext4 made with -O project,quota or an XFS, mounted with prjquota',
    )
  if (!(await program('setquota')) || !(await program('chattr')))
    return because('the tools of quotas are not installed', 'apt-get install quota e2fsprogs')
  if (uid !== 0) return because('quotas of the file system need root', 'run the node as root')
  return ok('quotas', 'the file system has project quotas')
}

/** The processes that hold the data folder by the roles' locks and still live. */
export async function runningProcesses(machine: Machine, dataDir: string): Promise<number[]> {
  const found = new Set<number>()
  for (const role of ['up', 'panel', 'node', 'edge']) {
    const [pid, began] = ((await machine.text(join(dataDir, `${role}.lock`))) ?? '').split(' ')
    if (!pid || !/^\d+$/.test(pid)) continue
    const afterName = (await machine.text(`/proc/${pid}/stat`))?.split(') ').at(-1) ?? ''
    if (afterName.split(' ')[19] === began) found.add(Number(pid))
  }
  return [...found]
}
