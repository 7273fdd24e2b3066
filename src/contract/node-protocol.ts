import { z } from 'zod'
import type { NodeFacts, ServerSpec, ServerState } from './node.ts'

/**
 * What panel and node say to each other has a version. Each side names the oldest and the newest that it speaks, and both use the newest that they
 * have in common, so that neighbouring releases work together whichever is updated first.
 *
 * - 1: before versions were compared. Whoever names none speaks this one, and refuses fields that it does not know.
 * - 2: fields that are not known are left out; servers can be moved to other nodes.
 * - 3: backups of format `restic`.
 * - 4: servers sleep and are woken by visitors; older panels hear that a sleeping one is offline.
 * - 5: looks into archives.
 * - 6: databases and backups on a node move with their servers.
 *
 * A new field needs no new version; a new operation, or a new value of an old field, does.
 */
export const nodeProtocols = { oldest: 1, newest: 6 } as const

export const ProtocolRange = z.strictObject({ oldest: z.int().min(1).max(1000), newest: z.int().min(1).max(1000) })
export type ProtocolRange = z.output<typeof ProtocolRange>

/** What a node learns about the link when it is welcome. One that names no protocol is of a panel that speaks the first. */
export const NodeWelcome = z.object({ nodeId: z.string(), name: z.string(), protocol: z.int().min(1).default(1) })
export type NodeWelcome = z.output<typeof NodeWelcome>

/** Since which version there is something that a panel may want of a node. */
export const nodeFeatures = {
  transfers: 2,
  incrementalBackups: 3,
  wakeOnConnect: 4,
  archiveContents: 5,
  wholeTransfers: 6,
} as const
export type NodeFeature = keyof typeof nodeFeatures

/** What of it people call it. */
export const featureWords: Readonly<Record<NodeFeature, string>> = {
  transfers: 'moving servers to other nodes',
  incrementalBackups: 'incremental backups',
  wakeOnConnect: 'waking servers when somebody connects',
  archiveContents: 'looking into archives',
  wholeTransfers: 'moving databases and backups with their server',
}

/** The newest version that both speak, or in words which of them must be updated. */
export function commonProtocol(offered: ProtocolRange | undefined, own: ProtocolRange): number | { refused: string } {
  const { oldest, newest } = offered ?? { oldest: 1, newest: 1 }
  if (newest < own.oldest)
    return {
      refused: `This node is too old for its panel (it speaks protocol ${newest}, the panel ${own.oldest} and newer): update the node.`,
    }
  if (oldest > own.newest)
    return {
      refused: `This node is too new for its panel (it speaks protocol ${oldest} and newer, the panel up to ${own.newest}): update the panel.`,
    }
  return Math.min(newest, own.newest)
}

/** A spec as a node of version 1 takes it, or null where there is something in it that such a node cannot do. */
export function specOfVersion1(spec: ServerSpec): unknown | null {
  const { id, revision, name, resources, variables, allocations, restartOnCrash, suspended, template } = spec
  const { start, install } = template
  if (spec.container !== undefined) return null
  if (start.command === undefined || install.script !== undefined || typeof (start.ready ?? '') !== 'string')
    return null
  const { npm, debian, run, timeoutSeconds } = install
  const { command, environment, ready, timeoutSeconds: startSeconds } = start
  return {
    ...{ id, revision, name, resources, variables, allocations, restartOnCrash, suspended },
    template: {
      ...{ id: template.id, name: template.name, summary: template.summary, category: template.category },
      ...{ protocols: template.protocols, entrance: template.entrance, proxyProtocol: template.proxyProtocol },
      ...{ resources: template.resources, files: template.files },
      ...{ stop: template.stop, stopTimeoutSeconds: template.stopTimeoutSeconds },
      // Values come checked from the panel: the rules are of no use there.
      variables: template.variables.map(({ name: variable, label, description, default: preset }) => ({
        ...{ name: variable, label, description, default: preset, rule: { type: 'text', min: 0, max: 4096 } },
      })),
      install: { npm, debian, run, timeoutSeconds },
      start: { command, environment, ready, timeoutSeconds: startSeconds },
    },
  }
}

/** Facts as a panel of version 1 takes them. */
export function factsOfVersion1(facts: NodeFacts): NodeFacts {
  const { version, hostname, platform, cpuCores, memoryBytes, diskBytes, diskFreeBytes, capabilities } = facts
  const { runtime, isolation, ownUser, memoryLimit, cpuLimit, processLimit, warnings } = capabilities
  const known = { version, hostname, platform, cpuCores, memoryBytes, diskBytes, diskFreeBytes }
  // What came later has defaults where it is read.
  return {
    ...known,
    capabilities: { runtime, isolation, ownUser, memoryLimit, cpuLimit, processLimit, warnings },
  } as NodeFacts
}

/** The first version whose panels know that servers sleep. */
const sleepKnownSince = nodeFeatures.wakeOnConnect

/** A state in the words of a panel that speaks `protocol`. */
export function stateFor(protocol: number, state: ServerState): ServerState {
  if (protocol >= sleepKnownSince) return state
  const { naps: _, ...known } = state
  return { ...known, phase: state.phase === 'sleeping' ? 'offline' : state.phase }
}
