import type {
  AgentIdentity,
  OpenTunnel,
  Revocation,
  TunnelGrant,
  UsageReport,
  WorkspaceLimits,
} from '../contract/edge.ts'
import type { EdgeEndpoint, EdgeMessage, TunnelRequest } from '../contract/tunnel.ts'

/** Who decides who may open what on this edge: a panel, or a file of tokens. */
export interface ControlPlane extends AsyncDisposable {
  /** Whether it can be asked at this moment; missing where it always can. */
  isUp?(): boolean
  /** Where somebody can tell of abuse of a host; missing, or null, where nobody could. */
  reportUrl?(host: string): string | null
  /** Whose credential is this. Rejects with a `Refusal`: `forbidden` when nobody's, `unavailable` when it cannot be asked now. */
  verify(credential: string, address: string): Promise<AgentIdentity>
  /** Reserves the tunnel's name and port; asking again gives the same. Rejects with a `Refusal`. */
  claim(agent: AgentIdentity, request: TunnelRequest): Promise<TunnelGrant>
  /** Hands over what was counted; resolves once it is kept. `rejected` names tunnels whose counters are refused for good. */
  report(report: UsageReport): Promise<{ rejected: string[] }>
  /** This edge ends soon: agents and visitors are sent to others. Does nothing where nobody can be told. */
  drain(): Promise<void>
  /** Tells what is open at this moment. */
  reportOpen(tunnels: OpenTunnel[]): Promise<void>
}

/** What a control plane may tell the edge. */
export interface EdgeOrders {
  /** Ends every session and tunnel that the filter matches, at once. Returns how many. */
  revoke(revocation: Revocation, reason: string): number
  /** What a workspace may do from now on; visitors that it may not have any more are cut. */
  setLimits(workspaceId: string, limits: WorkspaceLimits): void
  /** The edges of this one's region: every agent learns them. Empty: nobody knows of others. */
  setEdges(edges: EdgeEndpoint[]): void
  /** A tunnel's names, ports or settings may have changed: it is claimed again, and its visitors stay. */
  regrant(tunnelId: string): void
  /** The control plane was out of reach and is back: whoever lost a right meanwhile loses the tunnels too. */
  recheck(): void
}

export type RefusalCode = Extract<EdgeMessage, { type: 'refused' }>['code']

/** A tunnel or an agent that is refused, with a sentence for the person at the agent. */
export class Refusal extends Error {
  readonly code: RefusalCode
  constructor(code: RefusalCode, message: string) {
    super(message)
    this.name = 'Refusal'
    this.code = code
  }
}
