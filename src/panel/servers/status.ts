import type { ServerState } from '../../contract/node.ts'
import type { ServerStatus } from '../../contract/power.ts'

/** Everything that decides what a server's status is: what the panel knows of it, and what its node last said. */
export interface StatusFacts {
  suspended: boolean
  /** It is on its way to another node: how far, in words; null where it stays. */
  moving: string | null
  nodeName: string
  nodeOnline: boolean
  /** What the node said over the link it holds now; null while it has said nothing. */
  state: ServerState | null
  /** The node has reported this server at some time. */
  reported: boolean
}

export interface Status {
  status: ServerStatus
  /** What is going on or went wrong, in words. */
  message: string | null
}

/**
 * Suspension hides what the node says, since it is what a person must know first, and so does a move to another node. While the node is away nobody can tell
 * what the server does: it may well be running, so the last known phase is not shown as if it were true.
 */
export function statusOf(facts: StatusFacts): Status {
  if (facts.suspended) return { status: 'suspended', message: 'The people who run this installation suspended it.' }
  if (facts.moving !== null) return { status: 'transferring', message: facts.moving }
  if (!facts.nodeOnline)
    return { status: 'unknown', message: `Node ${facts.nodeName} is away; the server may still be running there.` }
  if (facts.state) return { status: facts.state.phase, message: facts.state.message }
  if (!facts.reported) return { status: 'installing', message: `Waiting for node ${facts.nodeName} to begin.` }
  return { status: 'unknown', message: `Node ${facts.nodeName} is back and has not reported this server yet.` }
}
