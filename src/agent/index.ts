// What the other folders use of the agent.
export {
  type Agent,
  type AgentEvent,
  type AgentOptions,
  type RefusedCode,
  startAgent,
  type WantedTunnel,
} from './agent.ts'
export { type EdgeTransport, type EdgeWay, edgeWays } from './dial-edge.ts'
export type { LocalTarget } from './forward.ts'
export type { HealthCheck } from './health.ts'
export { type EdgeProbe, probeEdge } from './probe.ts'
