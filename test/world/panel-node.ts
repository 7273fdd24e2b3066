import type { Client } from '../../src/client/index.ts'
import type { nodeAdminOperations } from '../../src/contract/api/nodes.ts'
import { decodeJoinToken } from '../../src/contract/join-token.ts'
import { JoinWelcome } from '../../src/contract/node.ts'
import { dialLink, tlsDialler } from '../../src/link/index.ts'
import { FakeNode } from './fake-node.ts'

/** A fake node with a public address, linked to a whole panel by `admin`. Whoever makes it disposes it. */
export async function joinFakeNode(
  admin: Pick<Client<typeof nodeAdminOperations>, 'createNode'>,
  name = 'machine',
): Promise<FakeNode> {
  const { joinToken } = await admin.createNode({ body: { name, publicAddress: 'play.example.org' } })
  const { panel } = decodeJoinToken(joinToken)
  const node = new FakeNode({ dialler: tlsDialler(panel), credential: await joinedNode(joinToken) })
  await node.connect()
  return node
}

/** Joins as a machine does with its token, and resolves to its lasting credential. */
export async function joinedNode(joinToken: string): Promise<string> {
  const { panel, secret } = decodeJoinToken(joinToken)
  const joining = await dialLink({
    dialler: tlsDialler(panel),
    hello: { role: 'join', version: 1, secret, software: 'test' },
    events: { onStream: (stream) => stream.destroy() },
  })
  const { credential } = JoinWelcome.parse(joining.greeting)
  joining.close('joined')
  return credential
}
