import type { Duplex } from 'node:stream'
import type { NodeHello } from '../contract/node.ts'
import { NodeWelcome, nodeProtocols, type ProtocolRange } from '../contract/node-protocol.ts'
import { httpStreamHead } from '../http/index.ts'
import type { Log } from '../lib/log.ts'
import type { Secret } from '../lib/secret.ts'
import { type Dialler, type KeptLink, keepLink, LinkError } from '../link/index.ts'

export interface PanelLinkOptions {
  dialler: Dialler
  credential: Secret
  /** Serves one connection of the panel's, which speaks this version of the protocol. */
  serve(stream: Duplex, protocol: number): void
  log: Log
  /** The versions of this node, for tests. */
  protocols?: ProtocolRange
}

/**
 * Keeps the link to one panel. A panel of version 1 refuses a hello with a field that it does not know: the next try then goes without
 * it, the one after that with it again, since the panel may have been updated meanwhile.
 */
export function keepPanelLink({
  dialler,
  credential,
  serve,
  log,
  protocols = nodeProtocols,
}: PanelLinkOptions): KeptLink {
  let offers = true
  let spoken = 1
  const hello = (): NodeHello => ({
    ...{ role: 'node', version: 1, credential: credential.reveal(), software: 'pharos' },
    ...(offers ? { protocol: protocols } : {}),
  })
  return keepLink({
    dialler,
    hello,
    onUp(link) {
      spoken = NodeWelcome.safeParse(link.greeting).data?.protocol ?? 1
    },
    onDown({ code, reason }) {
      if (code !== 'refused') return
      offers = !offers || protocols.oldest > 1
      log.info({ reason }, 'the panel refuses the hello: it may be of another version')
    },
    events: {
      onStream(stream, head) {
        if (isHttp(head)) serve(stream, spoken)
        else stream.destroy(new LinkError('refused', 'A node serves HTTP and nothing else.'))
      },
    },
    log,
  })
}

const isHttp = (head: unknown): boolean =>
  typeof head === 'object' && head !== null && 'protocol' in head && head.protocol === httpStreamHead.protocol
