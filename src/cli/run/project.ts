import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Project } from './dev-server.ts'

const Packages = z.record(z.string(), z.unknown()).catch({})
const PackageFile = z.looseObject({
  scripts: z.record(z.string(), z.string()).catch({}),
  dependencies: Packages,
  devDependencies: Packages,
  proxy: z.unknown(),
})

/** What `package.json` of the folder tells; null where there is none that can be read. It is the project's to complain about it. */
export async function projectIn(folder: string): Promise<Project | null> {
  try {
    const file = PackageFile.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
    return {
      scripts: file.scripts,
      packages: new Set([...Object.keys(file.dependencies), ...Object.keys(file.devDependencies)]),
      proxies: file.proxy !== undefined,
    }
  } catch {
    return null
  }
}
