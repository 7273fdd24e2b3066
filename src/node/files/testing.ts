import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { findNodeTools } from '../runtime/node-tools.ts'
import { createSandbox } from '../runtime/sandbox.ts'
import { measureDisk } from '../stats/disk.ts'
import { ProtectedFiles } from './protected.ts'
import { Scratch } from './scratch.ts'
import { ServerFiles } from './server-files.ts'
import { Space } from './space.ts'

/** For tests: the files of a server in a folder of its own, as root under a user of its own, and a folder outside. `patterns` say what is protected. */
export async function openTestFiles(
  t: TestContext,
  limitBytes = 64 * 1024 * 1024,
  patterns: readonly string[] = [],
): Promise<{ files: ServerFiles; root: string; outside: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-server-files-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const root = join(folder, 'data')
  const outside = join(folder, 'outside')
  await mkdir(root)
  await mkdir(outside)
  const owner = process.getuid?.() === 0 ? { uid: 41_234, gid: 41_234 } : null
  const signal = new AbortController().signal
  const space = new Space({ limitBytes: () => limitBytes, measure: () => measureDisk(root, signal) })
  const runtime = createSandbox({ owners: null, cgroups: null, tools: await findNodeTools(), canDisableUserns: true })
  const protectedFiles = ProtectedFiles.of(patterns)
  const files = new ServerFiles({
    root: { path: root, home: '/home/server', owner, protectedFiles: () => protectedFiles },
    scratch: new Scratch(folder),
    ...{ space, runtime },
  })
  return { files, root, outside, folder }
}

export const noSignal: AbortSignal = new AbortController().signal
