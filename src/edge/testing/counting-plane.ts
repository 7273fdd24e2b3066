import type { AgentIdentity, TunnelCounter } from '../../contract/edge.ts'
import type { ControlPlane, EdgeOrders } from '../control-plane.ts'

/** A control plane that grants every name of HTTP to the workspace that its token names, and keeps what is reported. */
export interface CountingPlane {
  start: (orders: EdgeOrders) => Promise<ControlPlane>
  /** Of the edge that it was started for. */
  orders(): EdgeOrders
  /** What was reported last of this tunnel. */
  counter(tunnelId: string): TunnelCounter | undefined
}

export function countingPlane(): CountingPlane {
  let orders: EdgeOrders | undefined
  const counters = new Map<string, TunnelCounter>()
  return {
    start: async (given) => {
      orders = given
      return {
        verify: async (token) => ({ kind: 'key', keyId: token, workspaceId: token, slug: token }),
        claim: async (agent, request) => {
          const name = request.kind === 'http' ? request.name : ''
          return {
            tunnelId: name,
            workspaceId: workspaceOf(agent),
            name,
            entrances: [{ kind: 'http', hosts: [`${name}.${workspaceOf(agent)}.localhost`] }],
            url: 'x',
          }
        },
        report: async (report) => {
          for (const counter of report.counters) counters.set(counter.tunnelId, counter)
          return { rejected: [] }
        },
        reportOpen: async () => undefined,
        drain: async () => undefined,
        async [Symbol.asyncDispose]() {},
      }
    },
    orders: () => {
      if (!orders) throw new Error('no edge was started')
      return orders
    },
    counter: (tunnelId) => counters.get(tunnelId),
  }
}

const workspaceOf = (agent: AgentIdentity): string => (agent.kind === 'key' ? agent.workspaceId : agent.nodeId)
