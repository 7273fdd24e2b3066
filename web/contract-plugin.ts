import { join } from 'node:path'
import { type Plugin, runnerImport } from 'vite'

const moduleId = 'pharos:operations'

/**
 * `pharos:operations` is what a page needs of the contract: method, path and family of each operation. The schemas stay with the
 * panel, which checks by them; they would double what a browser loads first. Its types are those of the contract
 * (`api/operations.d.ts`).
 */
export function contract(): Plugin {
  const source = join(import.meta.dirname, '..', 'src', 'contract', 'api', 'index.ts')
  return {
    name: 'pharos-contract',
    resolveId: (id) => (id === moduleId ? `\0${moduleId}` : undefined),
    async load(id) {
      if (id !== `\0${moduleId}`) return undefined
      const { module } = await runnerImport<Contract>(source, { configFile: false })
      this.addWatchFile(source)
      return [
        `export const apiPrefix = ${JSON.stringify(module.apiPrefix)}`,
        `export const publicOperations = ${JSON.stringify(shapes(module.publicOperations))}`,
        `export const publicSockets = ${JSON.stringify(shapes(module.publicSockets))}`,
        `export const publicTransfers = ${JSON.stringify(shapes(module.publicTransfers))}`,
      ].join('\n')
    },
  }
}

type Shape = { method: string; path: string; family: string }
interface Contract {
  apiPrefix: string
  publicOperations: Record<string, Shape>
  publicSockets: Record<string, Shape>
  publicTransfers: Record<string, Shape>
}

const shapes = (declarations: Record<string, Shape>): Record<string, Shape> =>
  Object.fromEntries(
    Object.entries(declarations).map(([name, { method, path, family }]) => [name, { method, path, family }]),
  )
