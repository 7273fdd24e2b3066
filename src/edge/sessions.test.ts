import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { test } from 'node:test'
import type { EdgeHello, Revocation, TunnelGrant } from '../contract/edge.ts'
import { LinkError, type LinkStream } from '../link/index.ts'
import { type ControlPlane, type EdgeOrders, Refusal } from './control-plane.ts'
import { acmeToken, eventually, handAgent, rawVisitor, testEdge, umbrellaToken } from './testing/world.ts'

/** A control plane that says yes, with doors for a test to stand in. */
function openPlane(doors: Partial<ControlPlane> = {}): {
  plane: (orders: EdgeOrders, hello: () => EdgeHello) => Promise<ControlPlane>
  orders: EdgeOrders
} {
  const held: { orders: EdgeOrders | undefined } = { orders: undefined }
  return {
    plane: async (orders) => {
      held.orders = orders
      return {
        verify: async (credential) => ({ kind: 'key', keyId: credential, workspaceId: 'acme', slug: 'acme' }),
        claim: async (_, request): Promise<TunnelGrant> => {
          const name = request.kind === 'allocation' ? request.allocation : request.name
          return {
            tunnelId: `acme/${name}`,
            workspaceId: 'acme',
            name,
            entrances: [{ kind: 'http', hosts: [`${name}.acme.localhost`] }],
            url: `http://${name}.acme.localhost`,
          }
        },
        report: async () => ({ rejected: [] }),
        reportOpen: async () => undefined,
        drain: async () => undefined,
        async [Symbol.asyncDispose]() {},
        ...doors,
      }
    },
    orders: {
      revoke: (revocation, reason) => held.orders?.revoke(revocation, reason) ?? 0,
      regrant: (tunnelId) => held.orders?.regrant(tunnelId),
      recheck: () => held.orders?.recheck(),
      setLimits: (workspaceId, limits) => held.orders?.setLimits(workspaceId, limits),
      setEdges: (edges) => held.orders?.setEdges(edges),
    },
  }
}

const refusedWith = (code: string) => (error: unknown) => error instanceof LinkError && error.code === code
const http = (name: string) => ({ kind: 'http', name }) as const

test('refuses an unknown token, a hello of another kind, and names no secret', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  await assert.rejects(
    handAgent(closer, edge, 'not-a-token-of-anyone'),
    (error) => refusedWith('unauthorized')(error) && !String(error).includes('not-a-token'),
  )
  await assert.rejects(handAgent(closer, edge, ''), refusedWith('refused'))
})

test('gives a port of its range, the same one again after the agent and the edge were gone', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const first = await handAgent(closer, edge, acmeToken)
  const opened = await first.open({ kind: 'tcp', name: 'game' })
  const other = await first.open({ kind: 'tcp', name: 'other' })
  assert.equal(opened.type, 'opened')
  assert.notEqual(opened.url, other.url)
  await edge[Symbol.asyncDispose]()
  const again = await testEdge(closer, { dataDir: edge.dataDir })
  const second = await handAgent(closer, again, acmeToken)
  assert.equal((await second.open({ kind: 'tcp', name: 'other' })).url, other.url)
  assert.equal((await second.open({ kind: 'tcp', name: 'game' })).url, opened.url)
})

test('refuses a port of another workspace, one outside the range, and an allocation without a panel', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const acme = await handAgent(closer, edge, acmeToken)
  const umbrella = await handAgent(closer, edge, umbrellaToken)
  const { url } = (await acme.open({ kind: 'tcp', name: 'game' })) as { url: string }
  const port = Number(new URL(url).port)
  assert.equal((await umbrella.open({ kind: 'tcp', name: 'game', port })).code, 'taken')
  assert.equal((await acme.open({ kind: 'tcp', name: 'x', port: 1 })).code, 'invalid')
  assert.equal((await acme.open({ kind: 'allocation', allocation: 'a' })).code, 'invalid')
})

test('the same name in two workspaces is two tunnels', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const served: string[] = []
  for (const token of [acmeToken, umbrellaToken]) {
    const agent = await handAgent(closer, edge, token, (stream, head) => {
      served.push((head as { tunnelId: string }).tunnelId)
      stream.destroy()
    })
    await agent.open(http('web'))
  }
  for (const host of [
    'web.umbrella.localhost',
    'web.acme.localhost',
    'web-umbrella.localhost',
    'umbrella.localhost',
    'eb-acme.localhost',
  ]) {
    const visitor = await rawVisitor(closer, edge.httpPort)
    visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    await visitor.all
  }
  assert.deepEqual(served, ['umbrella/web', 'acme/web', 'umbrella/web'])
})

test('an agent that comes back takes its tunnel over at once, and the late end of its old link changes nothing', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const served: string[] = []
  const answer = (name: string) => (stream: LinkStream) => {
    served.push(name)
    stream.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    stream.resume()
  }
  const old = await handAgent(closer, edge, acmeToken, answer('old'))
  await old.open(http('web'))
  const { url } = (await old.open({ kind: 'tcp', name: 'game' })) as { url: string }
  const fresh = await handAgent(closer, edge, acmeToken, answer('fresh'))
  await fresh.open(http('web'))
  assert.equal((await fresh.open({ kind: 'tcp', name: 'game' })).url, url)
  assert.equal((await old.next()).type, 'closed')
  old.link.close('late')
  await old.link.closed
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: web.acme.localhost\r\nConnection: close\r\n\r\n')
  assert.match((await visitor.all).toString(), /^HTTP\/1\.1 200/)
  await rawVisitor(closer, Number(new URL(url).port))
  await eventually(() => served.length === 2, 'both visitors reach the agent')
  assert.deepEqual(served, ['fresh', 'fresh'])
})

test('a token that leaves the file ends its sessions, tunnels and visitors at once; the others stay', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const acme = await handAgent(closer, edge, acmeToken, (stream) => stream.write('hello'))
  const umbrella = await handAgent(closer, edge, umbrellaToken)
  const { url } = (await acme.open({ kind: 'tcp', name: 'game' })) as { url: string }
  const visitor = await rawVisitor(closer, Number(new URL(url).port))
  await visitor.until('hello')
  await writeFile(edge.tokensFile, JSON.stringify({ [umbrellaToken]: 'umbrella' }))
  await acme.link.closed
  await visitor.all
  await assert.rejects(handAgent(closer, edge, acmeToken), refusedWith('unauthorized'))
  assert.equal((await umbrella.open(http('web'))).type, 'opened')
})

test('a tokens file that becomes invalid or disappears changes nothing', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const acme = await handAgent(closer, edge, acmeToken)
  const newToken = 'test-token-of-newcomer-0001'
  for (const bad of ['{', '[]', '{"short":"acme"}', `{"${newToken}":"Not A Slug"}`])
    await writeFile(edge.tokensFile, bad)
  await rm(edge.tokensFile)
  assert.equal((await acme.open(http('web'))).type, 'opened')
  await writeFile(edge.tokensFile, JSON.stringify({ [acmeToken]: 'acme', [newToken]: 'newcomer' }))
  await eventually(async () => {
    try {
      return Boolean(await handAgent(closer, edge, newToken))
    } catch {
      return false
    }
  }, 'the repaired file is read')
  assert.equal((await acme.open(http('web2'))).type, 'opened')
})

test('revokes by key, workspace and tunnel, exactly what matches', async () => {
  await using closer = new AsyncDisposableStack()
  const { plane, orders } = openPlane()
  const edge = await testEdge(closer, {}, { controlPlane: plane })
  const one = await handAgent(closer, edge, 'key-one')
  const two = await handAgent(closer, edge, 'key-two')
  await one.open(http('a'))
  await one.open(http('b'))
  await two.open(http('c'))
  const revoke = (revocation: Revocation): number => orders.revoke(revocation, 'because')
  assert.equal(revoke({ of: 'key', keyId: 'nobody' }), 0)
  assert.equal(revoke({ of: 'tunnel', tunnelId: 'acme/a' }), 1)
  assert.deepEqual(await one.next(), { type: 'closed', tunnelId: 'acme/a', reason: 'because' })
  assert.equal(revoke({ of: 'tunnel', tunnelId: 'acme/a' }), 0)
  assert.equal(revoke({ of: 'key', keyId: 'key-one' }), 1)
  assert.equal((await one.link.closed).reason, 'because')
  assert.equal(revoke({ of: 'workspace', workspaceId: 'acme' }), 1)
  await two.link.closed
})

test('a revocation that overtakes a claim wins', async () => {
  await using closer = new AsyncDisposableStack()
  let asked = 0
  let grant: (() => void) | undefined
  const { plane, orders } = openPlane({
    claim: () =>
      new Promise((resolve, reject) => {
        if (++asked > 1) reject(new Refusal('forbidden', 'revoked'))
        else
          grant = () =>
            resolve({
              tunnelId: 't',
              workspaceId: 'acme',
              name: 'a',
              entrances: [{ kind: 'http', hosts: ['a.acme.localhost'] }],
              url: 'http://a',
            })
      }),
  })
  const edge = await testEdge(closer, {}, { controlPlane: plane })
  const agent = await handAgent(closer, edge, 'key-one')
  const answer = agent.open(http('a'))
  await eventually(() => grant !== undefined, 'the claim is asked')
  orders.revoke({ of: 'tunnel', tunnelId: 't' }, 'because')
  grant?.()
  assert.equal((await answer).code, 'forbidden')
})

test('once the control plane is back, whoever lost a right meanwhile loses the tunnels; who kept it keeps them', async () => {
  await using closer = new AsyncDisposableStack()
  const gone = new Set<string>()
  const { plane, orders } = openPlane({
    verify: async (credential) => {
      if (gone.has(credential)) throw new Refusal('forbidden', 'revoked meanwhile')
      return { kind: 'key', keyId: credential, workspaceId: 'acme', slug: 'acme' }
    },
  })
  const edge = await testEdge(closer, {}, { controlPlane: plane })
  const one = await handAgent(closer, edge, 'key-one')
  const two = await handAgent(closer, edge, 'key-two')
  await one.open(http('a'))
  await two.open(http('b'))
  gone.add('key-one')
  orders.recheck()
  assert.equal((await one.link.closed).reason, 'revoked meanwhile')
  assert.equal((await two.open(http('b'))).type, 'opened')
})

test('two tunnels change names in one turn, and the visitors of both stay', async () => {
  await using closer = new AsyncDisposableStack()
  const names = new Map([
    ['one', 'lobby'],
    ['two', 'spare'],
  ])
  const { plane, orders } = openPlane({
    claim: async (_, request): Promise<TunnelGrant> => {
      const id = request.kind === 'allocation' ? request.allocation : request.name
      const name = names.get(id) ?? id
      const hosts: [string] = [`${name}.acme.localhost`]
      return { tunnelId: id, workspaceId: 'acme', name, entrances: [{ kind: 'http', hosts }], url: `http://${name}` }
    },
  })
  const edge = await testEdge(closer, {}, { controlPlane: plane })
  const agent = await handAgent(closer, edge, 'key-one', (stream, head) => {
    const { tunnelId } = head as { tunnelId: string }
    stream.on('data', () => stream.write(`HTTP/1.1 200 OK\r\nContent-Length: ${tunnelId.length}\r\n\r\n${tunnelId}`))
  })
  await agent.open(http('one'))
  await agent.open(http('two'))
  const ask = (visitor: Awaited<ReturnType<typeof rawVisitor>>, name: string) =>
    visitor.socket.write(`GET / HTTP/1.1\r\nHost: ${name}.acme.localhost\r\n\r\n`)
  const before = await rawVisitor(closer, edge.httpPort)
  ask(before, 'lobby')
  await before.until('one')
  names.set('one', 'spare').set('two', 'lobby')
  orders.regrant('one')
  await eventually(async () => {
    const visitor = await rawVisitor(closer, edge.httpPort)
    ask(visitor, 'lobby')
    return /two$/.test(await visitor.until(/* the head and three letters */ 41))
  }, 'the name leads to the other one')
  ask(before, 'spare')
  assert.match(await before.until(82), /one.*one$/s)
  orders.regrant('nobody')
  names.set('one', 'lobby')
  orders.regrant('one')
  const { type, tunnelId, again } = await agent.next()
  assert.deepEqual([type, tunnelId, again], ['closed', 'one', true], 'the name belongs to another one')
})

test('while the control plane is away nothing new opens and what is open goes on', async () => {
  await using closer = new AsyncDisposableStack()
  let away = false
  const { plane, orders } = openPlane()
  const edge = await testEdge(
    closer,
    {},
    {
      controlPlane: async (...given) => {
        const inner = await plane(...given)
        const refuse = async (): Promise<never> => {
          throw new Refusal('unavailable', 'away')
        }
        return {
          ...inner,
          verify: (...args) => (away ? refuse() : inner.verify(...args)),
          claim: (...args) => (away ? refuse() : inner.claim(...args)),
        }
      },
    },
  )
  const agent = await handAgent(closer, edge, 'key-one', (stream) => {
    stream.resume()
    stream.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  await agent.open(http('a'))
  away = true
  orders.recheck()
  assert.equal((await agent.open(http('b'))).code, 'unavailable')
  await assert.rejects(handAgent(closer, edge, 'key-one'), refusedWith('refused'))
  const visitor = await rawVisitor(closer, edge.httpPort)
  visitor.socket.write('GET / HTTP/1.1\r\nHost: a.acme.localhost\r\nConnection: close\r\n\r\n')
  assert.match((await visitor.all).toString(), /^HTTP\/1\.1 200/)
})

test('keeps to its limits: tunnels of a session, sessions of a key, sessions in all', async () => {
  await using closer = new AsyncDisposableStack()
  const { plane } = openPlane()
  const edge = await testEdge(
    closer,
    {},
    { controlPlane: plane, limits: { tunnelsPerSessionMax: 2, sessionsPerCredentialMax: 1, sessionsMax: 2 } },
  )
  const one = await handAgent(closer, edge, 'key-one')
  await one.open(http('a'))
  await one.open(http('b'))
  assert.equal((await one.open(http('c'))).code, 'limit')
  one.link.send({ type: 'close', tunnelId: 'acme/a' })
  assert.equal((await one.open(http('c'))).type, 'opened')
  await assert.rejects(handAgent(closer, edge, 'key-one'), refusedWith('limit'))
  await handAgent(closer, edge, 'key-two')
  await assert.rejects(handAgent(closer, edge, 'key-three'), refusedWith('limit'))
})

test('an agent that sends nonsense loses its link, not the edge', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  for (const nonsense of [
    null,
    1,
    [],
    { type: 'open' },
    { type: 'open', ref: 'r', tunnel: { kind: 'http', name: '../x' } },
    { type: 'opened' },
  ]) {
    const agent = await handAgent(closer, edge, acmeToken)
    agent.link.send(nonsense)
    await agent.link.closed
  }
  const agent = await handAgent(closer, edge, acmeToken)
  agent.link.open({ any: 'thing' }).on('error', () => undefined)
  agent.link.send({ type: 'close', tunnelId: 'umbrella/web' })
  assert.equal((await agent.open(http('web'))).type, 'opened')
})

test('a port that something else uses is refused, and works once it is free', async () => {
  await using closer = new AsyncDisposableStack()
  const edge = await testEdge(closer)
  const agent = await handAgent(closer, edge, acmeToken)
  const { url } = (await agent.open({ kind: 'tcp', name: 'game' })) as { url: string }
  const port = Number(new URL(url).port)
  agent.link.send({ type: 'close', tunnelId: 'acme/game' })
  const squatter = createServer()
  const listen = (): Promise<boolean> =>
    new Promise((resolve) => {
      squatter.once('error', () => resolve(false))
      squatter.listen(port, '127.0.0.1', () => resolve(true))
    })
  await eventually(listen, 'the port is free after the tunnel was closed')
  assert.equal((await agent.open({ kind: 'tcp', name: 'game' })).code, 'unavailable')
  await new Promise((resolve) => squatter.close(resolve))
  assert.equal((await agent.open({ kind: 'tcp', name: 'game' })).url, url)
})
