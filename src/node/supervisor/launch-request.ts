import { join } from 'node:path'
import { conflict } from '../../contract/errors.ts'
import type { ServerSpec } from '../../contract/node.ts'
import { choiceVariables } from '../../contract/template.ts'
import { writeBeneath } from '../files/beneath.ts'
import type { SharedPackages } from '../install/packages.ts'
import { applyPatches } from '../patches/index.ts'
import { type ContainerRequest, type Limits, type Places, type Runtime, serverFiles } from '../runtime.ts'
import { shellLine } from './shell-line.ts'
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

/** The program that the server is, or the shell with the line that it is started by. */
export function startCommandOf(spec: ServerSpec, folder: string, runtime: Runtime, packages: SharedPackages): string[] {
  const line = startLineOf(spec)
  if (line === null) return commandOf(spec.template.start.command ?? [], spec, folder, runtime, packages)
  // The shell takes values from the environment, so that no value can become a part of the line.
  return ['/bin/bash', '-c', shellLine(line)]
}

/** The line that the server is started by, as its template has it; null where that names a program instead. */
function startLineOf({ template, variables }: ServerSpec): string | null {
  const { lines } = template.start
  const chosen = lines?.find(({ name }) => name === variables[choiceVariables.line]) ?? lines?.[0]
  return chosen?.line ?? null
}

/**
 * The container that the server runs in; null where it runs in the sandbox. Its ports are published to everybody, or to this
 * machine alone where players come through a tunnel. Throws `conflict` where nothing names an image.
 */
export function containerOf({ template, variables, container, allocations }: ServerSpec): ContainerRequest | null {
  if (!container) return null
  const { images } = template
  const chosen = images?.find(({ name }) => name === variables[choiceVariables.image]) ?? images?.[0]
  const image = container.image ?? chosen?.image
  if (image === undefined)
    throw conflict(`Its template ${template.id} names no container image: choose one, or let it run in the sandbox`)
  return {
    image,
    startsItself: template.start.lines !== undefined,
    ports: allocations.flatMap(({ port, tunnel }) =>
      template.protocols.map((protocol) => ({ port, protocol, address: tunnel ? '127.0.0.1' : '0.0.0.0' }) as const),
    ),
  }
}

/** The environment: variables under their own names, then what the template sets, over what every program needs. */
export function environmentOf(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): Record<string, string> {
  const values = valuesFor(spec, folder, runtime, packages)
  const { home, path } = placesOf(spec, folder, runtime, packages)
  const own = Object.entries(spec.template.start.environment).map(([name, value]) => [name, fillIn(value, values)])
  // Images made for eggs are started by a program of their own that takes the line from there.
  const line = startLineOf(spec)
  const startup = line === null ? {} : { STARTUP: line }
  return {
    ...{ ...values, ...startup, HOME: home, ...(path === null ? {} : { PATH: path }), LANG: 'C.UTF-8' },
    ...Object.fromEntries(own),
  }
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

/** Writes the template's values into configuration files of the game. What cannot be changed is told to `note`. */
export async function patchFiles(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
  note: (line: string) => Promise<void>,
): Promise<void> {
  const { patches } = spec.template
  if (patches === undefined) return
  const owner = await runtime.prepare(folder)
  const values = valuesFor(spec, folder, runtime, packages)
  await applyPatches(patches, { root: join(folder, serverFiles.data), owner, values, note })
}

function valuesFor(
  spec: ServerSpec,
  folder: string,
  runtime: Runtime,
  packages: SharedPackages,
): Record<string, string> {
  return valuesOf(spec, placesOf(spec, folder, runtime, packages).template)
}

const placesOf = (spec: ServerSpec, folder: string, runtime: Runtime, packages: SharedPackages): Places =>
  runtime.places({ folder, shared: sharedOf(spec, packages), container: containerOf(spec) })
