// What the other folders use of the link. Everything else in here is its own affair.
export { type AcceptOptions, acceptLinks, type Greeted, type LinkAcceptor } from './accept.ts'
export type { Channel, Dialler } from './channel.ts'
export { type DatagramEndpoint, type DatagramEndpointOptions, listenDatagrams } from './datagrams/endpoint.ts'
export { type DialOptions, dialLink } from './dial.ts'
export { type LinkIdentity, loadIdentity } from './identity.ts'
export { type KeepOptions, type KeptLink, keepLink } from './keep.ts'
export type { LinkLimits } from './limits.ts'
export {
  type Link,
  type LinkEnd,
  LinkError,
  type LinkErrorCode,
  type LinkEvents,
  type LinkStream,
  type ReadSource,
} from './link.ts'
export { Outgoing } from './outgoing.ts'
export { PanelLinks } from './panel-links.ts'
export { type LinkPortOptions, type ListeningPort, listenLinks, listenShared, type SharedPortOptions } from './ports.ts'
export { splice } from './splice.ts'
export { giveStaging, takeStaging } from './staging.ts'
export { firstDialler } from './transport/first.ts'
export { memoryPair } from './transport/memory.ts'
export { tcpChannel, tcpDialler } from './transport/tcp.ts'
export { terminateTls, tlsDialler } from './transport/tls.ts'
export { acceptWebSockets, type WebSocketAcceptor, webSocketDialler, webSocketPath } from './transport/websocket.ts'
