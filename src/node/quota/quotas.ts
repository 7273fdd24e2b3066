import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Log } from '../../lib/log.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { type Owner, serverFiles } from '../runtime.ts'

const run = promisify(execFile)

/** What the file system keeps a server from passing. */
export interface QuotaLimits {
  bytes: number
  /** Files, folders and links. */
  files: number
}

/** Where a server is, and whose it is. */
export interface QuotaServer {
  folder: string
  owner: Owner | null
}

/**
 * Disk limits that the file system itself holds: a project of its own for each server, which every file in its folders belongs to.
 * The kernel then refuses what is too much, whoever writes; root may pass on some file systems, so the node counts as well.
 */
export interface Quotas {
  /** Why there are none here; null where they hold. */
  readonly refused: string | null
  /**
   * Sets a server's limits.
   * @param adopt also count files that are there already and belong to no project yet. Nothing of the server may run meanwhile.
   */
  apply(server: QuotaServer, limits: QuotaLimits, adopt: boolean): Promise<void>
  /** Lets everything that will be in this new folder of the server's count, as what moves into its files must. */
  cover(server: QuotaServer, path: string): Promise<void>
  /** Whether a server's limit is held by the file system. */
  holds(folder: string): boolean
  /** Forgets a server that is being deleted. Idempotent. */
  remove(server: QuotaServer): Promise<void>
}

/** Finds out by trying whether the file system of the data folder has project quotas. */
export async function openQuotas({ dataDir, log }: { dataDir: string; log: Log }): Promise<Quotas> {
  const digest = createHash('sha256').update(dataDir).digest()
  // Two nodes may share a disk: each has its own range of ids, above those that people give.
  const first = ((digest.readUInt16BE(10) & 0x7ffe) + 1) * 2 ** 16
  try {
    const quota = new ProjectQuota(await mountOf(dataDir))
    await probe(quota, dataDir, first)
    return projectQuotas(quota, first, log)
  } catch (error) {
    return noQuotas(wordsOf(error))
  }
}

/** For a node whose file system has none. */
export const noQuotas = (refused: string): Quotas => ({
  refused,
  apply: async () => undefined,
  cover: async () => undefined,
  holds: () => false,
  remove: async () => undefined,
})

function projectQuotas(quota: ProjectQuota, first: number, log: Log): Quotas {
  const held = new Set<string>()
  const projectOf = ({ owner }: QuotaServer): number | null => (owner ? first + owner.uid : null)
  return {
    refused: null,
    holds: (folder) => held.has(folder),
    async apply(server, limits, adopt) {
      const project = projectOf(server)
      if (project === null) return
      const data = join(server.folder, serverFiles.data)
      try {
        await quota.limit(project, limits)
        const covered = (await quota.projectOf(data)) === project
        if (!covered && !adopt) return
        if (!covered) await quota.adopt(project, data)
        held.add(server.folder)
      } catch (error) {
        held.delete(server.folder)
        log.warn({ err: error, folder: server.folder }, 'no quota for this server: its disk limit is watched')
      }
    },
    async cover(server, path) {
      const project = projectOf(server)
      if (project !== null && held.has(server.folder)) await quota.cover(project, path)
    },
    async remove(server) {
      held.delete(server.folder)
      const project = projectOf(server)
      if (project === null) return
      await quota
        .limit(project, { bytes: 0, files: 0 })
        .catch((error: unknown) => log.warn({ err: error, folder: server.folder }, 'quota not removed'))
    },
  }
}

/** The tools of e2fsprogs and quota, which serve every file system that has projects. */
class ProjectQuota {
  readonly #mount: string

  constructor(mount: string) {
    this.#mount = mount
  }

  /** Zero is no limit. */
  async limit(project: number, { bytes, files }: QuotaLimits): Promise<void> {
    const blocks = String(Math.ceil(bytes / blockBytes))
    await run('setquota', ['-P', String(project), '0', blocks, '0', String(files), this.#mount], options)
  }

  /** What is made in this folder from now on belongs to the project. */
  async cover(project: number, folder: string): Promise<void> {
    await run('chattr', ['-p', String(project), '+P', folder], options)
  }

  async projectOf(folder: string): Promise<number> {
    const { stdout } = await run('lsattr', ['-pd', folder], options)
    return Number.parseInt(stdout, 10)
  }

  /** Everything in it, too. Links and pipes have no project of their own and take no space. */
  async adopt(project: number, folder: string): Promise<void> {
    const find = async (type: string, ...flags: string[]): Promise<void> => {
      const change = ['chattr', '-p', String(project), ...flags, '{}', '+']
      await run('find', [folder, '-xdev', '-type', type, '-exec', ...change], options)
    }
    await find('f')
    // The folder itself is the last sign that everything is done.
    await find('d', '+P')
  }
}

const options = { env: toolEnvironment, timeout: 10 * 60_000, maxBuffer: 1024 * 1024 }

/** What quota tools count in. */
const blockBytes = 1024

/** The probe may take less than it tries to write, in bytes. */
const probeLimitBytes = 64 * 1024
const probeWriteBytes = 1024 * 1024

/** An unprivileged user who owns nothing here. */
const nobody = 65_534

async function probe(quota: ProjectQuota, dataDir: string, project: number): Promise<void> {
  if (process.getuid?.() !== 0) throw new Unsupported('that needs root')
  const folder = await mkdtemp(join(dataDir, 'quota-probe-'))
  try {
    await chown(folder, nobody, nobody)
    await quota.cover(project, folder)
    await quota.limit(project, { bytes: probeLimitBytes, files: 100 })
    try {
      if (await canWrite(folder)) throw new Unsupported('its quotas are not enforced: they are switched off')
    } finally {
      await quota.limit(project, { bytes: 0, files: 0 })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** As a user who may not pass quotas. */
async function canWrite(folder: string): Promise<boolean> {
  const child = spawn('/bin/sh', ['-c', `exec head -c ${probeWriteBytes} /dev/zero > probe`], {
    ...{ cwd: folder, env: toolEnvironment, stdio: 'ignore', uid: nobody, gid: nobody },
  })
  const [code] = await once(child, 'close')
  return code === 0
}

async function mountOf(path: string): Promise<string> {
  return (await run('stat', ['--format=%m', '--', path], options)).stdout.trim()
}

class Unsupported extends Error {}

function wordsOf(error: unknown): string {
  if (error instanceof Unsupported) return error.message
  const { code, path, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
  if (code === 'ENOENT' && path)
    return `${path} is not installed; apt-get install ${path === 'setquota' ? 'quota' : 'e2fsprogs'}`
  const line = (stderr ?? '').trim().split('\n').at(-1)?.slice(0, 200)
  return `the file system of the data folder has no project quotas${line ? `: ${line}` : ''}`
}
