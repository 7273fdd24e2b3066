import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { isPublicAddress, type LookupAll, openUrl } from './outbound.ts'

for (const [address, what] of [
  ['169.254.169.254', 'the metadata of a cloud'],
  ['127.0.0.1', 'this machine'],
  ['127.255.255.254', 'this machine'],
  ['0.0.0.0', 'this machine'],
  ['0.1.2.3', 'this network'],
  ['10.0.0.1', 'a private network'],
  ['172.16.0.1', 'a private network'],
  ['172.17.0.1', 'the bridge of containers'],
  ['172.31.255.255', 'a private network'],
  ['192.168.255.255', 'a private network'],
  ['169.254.0.1', 'the local link'],
  ['100.64.0.1', 'the network of a provider'],
  ['100.127.255.255', 'the network of a provider'],
  ['192.0.0.1', 'protocol assignments'],
  ['198.18.0.1', 'benchmarks'],
  ['203.0.113.9', 'documentation'],
  ['224.0.0.1', 'multicast'],
  ['255.255.255.255', 'everybody here'],
  ['::', 'this machine'],
  ['::1', 'this machine'],
  ['::ffff:127.0.0.1', 'IPv4 in IPv6'],
  ['::ffff:8.8.8.8', 'IPv4 in IPv6'],
  ['::127.0.0.1', 'IPv4 in IPv6'],
  ['64:ff9b::7f00:1', 'IPv4 behind a translator'],
  ['2002:7f00:1::', 'IPv4 in a tunnel'],
  ['2001::1', 'IPv4 in a tunnel'],
  ['fc00::1', 'a private network'],
  ['fdff::1', 'a private network'],
  ['fe80::1', 'the local link'],
  ['fe80::1%lo', 'the local link'],
  ['ff02::1', 'multicast'],
  ['2001:db8::1', 'documentation'],
  ['0x7f.1', 'no plain address'],
  ['2130706433', 'no plain address'],
  ['', 'no address'],
] as const)
  test(`never pulls from ${address || 'an empty address'}, ${what} (GHSA-6rg3-8h8x-5xfv)`, () =>
    assert.equal(isPublicAddress(address), false))

test('pulls from addresses of the public internet, up to the edges of what is not', () => {
  for (const address of [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '128.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00::1',
  ])
    assert.equal(isPublicAddress(address), true, address)
})

test('no spelling of an address gets past the list (GHSA-6rg3-8h8x-5xfv)', async () => {
  for (const host of [
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '0',
    '①②⑦.0.0.1',
    '127.0.0.1.',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
  ])
    await assert.rejects(
      openUrl(new URL(`http://${host}:1/`), isPublicAddress, never),
      /not on the public internet/,
      host,
    )
})

test('a name that answers with another address at each question is asked once for each dial, and dialled there (CVE-2024-34068)', async (t) => {
  const world = await openWorld(t, (request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: '/file' }).end()
    else response.end('content')
  })
  world.answer(['127.0.0.1'], ['127.0.0.2'])
  assert.equal(await text(await world.open('/file')), 'content')
  assert.equal(world.questions(), 1)

  world.answer(['127.0.0.1'], ['127.0.0.2'])
  await assert.rejects(world.open('/moved'), /not on the public internet/)
  assert.equal(world.questions(), 2)

  world.answer(['127.0.0.2', '127.0.0.1'])
  assert.equal(await text(await world.open('/file')), 'content')
  world.answer(['127.0.0.2'])
  await assert.rejects(world.open('/file'), /not on the public internet/)
  assert.deepEqual(new Set(world.dialled), new Set(['127.0.0.1']))
})

test('a name of this machine is refused by the real list (CVE-2024-34068)', async (t) => {
  const world = await openWorld(t, (_request, response) => void response.end())
  for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0']) {
    world.answer([address])
    await assert.rejects(world.open('/', isPublicAddress), /changes\.test:\d+ is not on the public internet/, address)
  }
  assert.deepEqual(world.dialled, [])
})

const never = new AbortController().signal

/** A web server that every address of this machine reaches, where 127.0.0.1 stands for the public internet, and a name server. */
async function openWorld(t: TestContext, answerRequest: RequestListener) {
  const dialled: string[] = []
  const web = createServer(answerRequest).listen(0, '0.0.0.0')
  web.on('connection', (socket) => dialled.push(socket.localAddress ?? ''))
  await once(web, 'listening')
  const names = createSocket('udp4').bind(0, '127.0.0.1')
  await once(names, 'listening')
  t.after(() => {
    web.closeAllConnections()
    web.close()
    names.close()
  })
  let answers: string[][] = []
  let asked = 0
  names.on('message', (question, { port, address }) => {
    asked += 1
    names.send(dnsAnswer(question, answers.shift() ?? []), port, address)
  })
  const resolver = new Resolver()
  resolver.setServers([`127.0.0.1:${names.address().port}`])
  const lookupAll: LookupAll = (name, _options, done) =>
    resolver.resolve4(name, (error, found) =>
      done(
        error,
        (found ?? []).map((address) => ({ address, family: 4 })),
      ),
    )
  const { port } = web.address() as AddressInfo
  return {
    dialled,
    /** What the next questions are answered with, one after the other. */
    answer: (...next: string[][]) => {
      answers = next
      asked = 0
    },
    questions: () => asked,
    open: (path: string, isReachable = (address: string): boolean => address === '127.0.0.1') =>
      openUrl(new URL(`http://changes.test:${port}${path}`), isReachable, never, lookupAll),
  }
}

/** The question again with A records that nobody may keep. */
function dnsAnswer(question: Buffer, addresses: string[]): Buffer {
  const end = question.indexOf(0, 12) + 5
  const header = Buffer.from(question.subarray(0, 12))
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(addresses.length, 6)
  header.writeUInt32BE(0, 8)
  const records = addresses.map((address) =>
    Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
  )
  return Buffer.concat([header, question.subarray(12, end), ...records])
}
