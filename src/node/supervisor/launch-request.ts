import { join } from 'node:path'
import type { ServerSpec } from '../../contract/node.ts'
import { writeBeneath } from '../files/beneath.ts'
import type { SharedPackages } from '../install/packages.ts'
import { type Limits, type Runtime, serverFiles } from '../runtime.ts'
import { fillIn, valuesOf } from './variables.ts'

/** What a server's spec means for its runtime. */
export const limitsOf = (spec: ServerSpec): Limits => ({
  memoryBytes: spec.resources.memory * 1024 * 1024,
  cpuCores: spec.resources.cpu,
})

/** The folder of the template's packages on this machine, or null when it has none. */
export const sharedOf = (spec: ServerSpec, packages: SharedPackages): string | null =>
  spec.template.install.npm ? packages.folderOf(spec.template.install.npm) : null

/** The command with variables filled in, each argument by itself. */
export function commandOf(
  command: readonly string[],
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): string[] {
  const values = valuesFor(spec, folder, runtime, packages)
  return command.map((argument) => fillIn(argument, values))
}

/** The environment: variables under their own names, then what the template sets, over what every program needs. */
export function environmentOf(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): Record<string, string> {
  const values = valuesFor(spec, folder, runtime, packages)
  const places = runtime.places({ folder, shared: sharedOf(spec, packages) })
  const own = Object.entries(spec.template.start.environment).map(([name, value]) => [name, fillIn(value, values)])
  return { ...values, HOME: places.home, PATH: places.path, LANG: 'C.UTF-8', ...Object.fromEntries(own) }
}

/** Writes the template's files into the server's folder, variables filled in. */
export async function writeTemplateFiles(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): Promise<void> {
  const owner = await runtime.prepare(folder)
  const values = valuesFor(spec, folder, runtime, packages)
  for (const file of spec.template.files) {
    await writeBeneath(join(folder, serverFiles.data), file.path, fillIn(file.content, values), {
      owner,
      once: file.once,
    })
  }
}

function valuesFor(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): Record<string, string> {
  return valuesOf(spec, runtime.places({ folder, shared: sharedOf(spec, packages) }).template)
}
