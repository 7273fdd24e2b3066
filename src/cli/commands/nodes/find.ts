import { CommandError, type Connection, UsageError } from '../../command.ts'

export type Node = Awaited<ReturnType<Connection['client']['nodes']>>['nodes'][number]

/** The machine that somebody means by its name or id. Throws a `CommandError` that lists the choices. */
export async function findNode({ client }: Pick<Connection, 'client'>, meant: string): Promise<Node> {
  const { nodes } = await client.nodes()
  const found = nodes.find(({ id, name }) => id === meant || name === meant)
  if (found) return found
  throw new CommandError(
    `No node is called "${meant}". There ${nodes.length === 0 ? 'are none' : `are: ${nodes.map(({ name }) => name).join(', ')}`}.`,
  )
}

/** What `--label` was given: `name=value` each. */
export function labelsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [name, ...value] = pair.split('=')
      if (!name || value.length === 0) throw new UsageError(`--label takes name=value; "${pair}" is not that.`)
      return [name, value.join('=')]
    }),
  )
}

/** `region=eu disk=nvme` */
export const labelWords = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

/** How much of what a machine has is promised, and may be. */
export const promiseWords = (promised: number, has: number | undefined, factor: number | null, unit: string): string =>
  `${promised} ${unit} promised${has === undefined ? '' : ` of ${has}`}${factor === null ? ', any amount may be' : `, up to ${factor} times that may be`}`
