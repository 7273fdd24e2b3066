import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { answerWith, hang, startReceiver } from '../../../test/world/webhook-receiver.ts'
import { isPublicAddress, type LookupAll, reachableBy } from '../../http/index.ts'
import { Secret } from '../../lib/secret.ts'
import { Content, discordBody, letterOf } from './content.ts'
import { retryMs } from './limits.ts'
import { isHopeless, nextAttempt } from './rules.ts'
import { send } from './send.ts'
import { signatureOf } from './signature.ts'

const never = new AbortController().signal
const post = (url: string, more: Partial<Parameters<typeof send>[3]> = {}) =>
  send(new URL(url), '{}', { 'pharos-event': 'x' }, { isReachable: () => true, signal: never, waitMs: 30_000, ...more })

/** A name server whose answers the test chooses. */
const resolving =
  (...addresses: string[]): LookupAll =>
  (_name, _options, done) =>
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

test('delivers what it is given, once, and reads no more of the answer than its head', async () => {
  await using receiver = await startReceiver((response) => {
    response.writeHead(200)
    // An answer without an end.
    response.write('x'.repeat(100_000))
  })
  assert.deepEqual(await post(receiver.url), { ok: true, status: 200, message: null, retryAfterMs: null, gone: false })
  const [only, ...others] = receiver.received
  assert.deepEqual([only?.body, only?.headers['content-type'], others], ['{}', 'application/json; charset=utf-8', []])
})

for (const status of [300, 400, 404, 500, 503] as const)
  test(`counts ${status} as a failure`, async () => {
    await using receiver = await startReceiver(answerWith(status))
    const { ok, status: seen, message } = await post(receiver.url)
    assert.deepEqual([ok, seen], [false, status])
    assert.match(message ?? '', status < 400 ? /redirects, which is not followed/ : /answered/)
  })

test('follows no redirect, wherever it leads', async () => {
  await using inner = await startReceiver()
  await using receiver = await startReceiver(answerWith(307, { location: inner.url }))
  assert.equal((await post(receiver.url)).ok, false)
  assert.deepEqual(inner.received, [])
})

test('hears when to come again, and that nobody is there any more', async () => {
  await using receiver = await startReceiver(answerWith(429, { 'retry-after': '120' }))
  assert.equal((await post(receiver.url)).retryAfterMs, 120_000)
  receiver.answers(answerWith(429, { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }))
  assert.equal((await post(receiver.url)).retryAfterMs, null)
  receiver.answers(answerWith(410))
  assert.equal((await post(receiver.url)).gone, true)
})

test('gives up a receiver that takes the request and says nothing, and one that speaks no HTTP', async () => {
  await using receiver = await startReceiver(hang)
  assert.match((await post(receiver.url, { waitMs: 100 })).message ?? '', /No answer within/)
  const other = createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('what?\r\n\r\n'),
  ).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  assert.match((await post(`http://127.0.0.1:${port}/`)).message ?? '', /broke off/)
  await new Promise((resolve) => other.close(resolve))
  assert.match((await post(`http://127.0.0.1:${port}/`)).message ?? '', /Nothing listens/)
})

test('calls no address that is not public, however it is written and whatever a name says', async () => {
  await using receiver = await startReceiver()
  const { port } = receiver
  const isReachable = isPublicAddress
  for (const host of [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0.0.0.0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
  ])
    assert.match(
      (await post(`http://${host}:${port}/`, { isReachable })).message ?? '',
      /not on the public internet/,
      host,
    )
  for (const address of ['127.0.0.1', '10.0.0.7', '::1', 'fd00::1', '::ffff:127.0.0.1', '169.254.169.254'])
    assert.match(
      (await post(`http://hooks.test:${port}/`, { isReachable, lookupAll: resolving(address) })).message ?? '',
      /hooks\.test:\d+ is not on the public internet/,
      address,
    )
  assert.deepEqual(receiver.received, [])
})

test('dials the very address that it has looked at: a name that changes in between leads nowhere else', async () => {
  await using receiver = await startReceiver()
  const asked: string[] = []
  const changing: LookupAll = (name, _options, done) => {
    asked.push(name)
    // Public at the first look, this machine at every later one.
    done(null, [{ address: asked.length === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }])
  }
  const isReachable = (address: string): boolean => address === '192.0.2.1'
  const attempt = await post(`http://hooks.test:${receiver.port}/`, { isReachable, lookupAll: changing, waitMs: 200 })
  assert.equal(attempt.ok, false)
  assert.deepEqual([asked, receiver.received], [['hooks.test'], []])
})

test('of several addresses of a name only those that may be called are dialled', async () => {
  await using receiver = await startReceiver()
  const lookupAll = resolving('10.0.0.1', '127.0.0.1')
  const isReachable = (address: string): boolean => address === '127.0.0.1'
  assert.equal((await post(`http://hooks.test:${receiver.port}/`, { isReachable, lookupAll })).ok, true)
})

test('the installation may allow networks of its own, and nothing beside them', () => {
  const allowed = reachableBy(['10.1.0.0/16', '192.168.7.7', 'fd00::/8'])
  for (const address of ['10.1.2.3', '192.168.7.7', 'fd12::1', '8.8.8.8', '2606:4700::1111'])
    assert.ok(allowed(address), address)
  for (const address of ['10.2.0.1', '192.168.7.8', '127.0.0.1', '::1', 'not an address', ''])
    assert.ok(!allowed(address), address)
})

test('what cannot be reached says why without the rest of the URL', async () => {
  const failing: LookupAll = (_name, _options, done) => done(Object.assign(new Error('x'), { code: 'ENOTFOUND' }), [])
  const { message } = await post('http://hooks.test/secret-token', { lookupAll: failing })
  assert.match(message ?? '', /The name hooks\.test is not known/)
  assert.doesNotMatch(message ?? '', /secret-token/)
})

test('a delivery is signed with its time, and with both secrets while one takes the place of the other', () => {
  const [old, young] = [new Secret('old'), new Secret('young')]
  const at = 1_700_000_000_999
  const one = signatureOf('{"a":1}', [young], at)
  assert.match(one, /^t=1700000000,v1=[0-9a-f]{64}$/)
  const both = signatureOf('{"a":1}', [young, old], at)
  assert.ok(both.startsWith(one) && both.split(',').length === 3)
  assert.notEqual(signatureOf('{"a":2}', [young], at), one)
  assert.notEqual(signatureOf('{"a":1}', [young], at + 1000), one)
})

test('pauses grow to hours, a receiver may ask for longer within reason, and in the end a delivery is given up', () => {
  assert.equal(nextAttempt(1, 0, null), 10_000)
  assert.equal(nextAttempt(1, 0, 60_000), 60_000)
  assert.equal(nextAttempt(1, 0, 1e12), 3_600_000)
  assert.equal(nextAttempt(retryMs.length + 1, 0, null), null)
  const pauses = retryMs.map((_, index) => nextAttempt(index + 1, 0, null) ?? 0)
  assert.deepEqual(
    pauses,
    pauses.toSorted((left, right) => left - right),
  )
  const day = 24 * 3_600_000
  assert.ok(!isHopeless(0, 5, 10 * day) && !isHopeless(0, 100, day) && isHopeless(0, 10, 3 * day))
})

const content: Content = {
  id: 'dlv_1',
  event: 'server.crashed',
  at: '2026-06-01T12:00:00.000Z',
  workspace: 'acme',
  message: 'Server @everyone [click](https://evil.test) <@123> **bold** crashed\u202e\u001b[31m',
  subject: { kind: 'server', id: 'servers/1a7ce997', name: 'x' },
  server: { id: 'servers/1a7ce997', name: `@here ${'*'.repeat(5000)}` },
}

test('a message to Discord mentions nobody, links to nothing and stays within its limits', () => {
  const body = discordBody(content)
  const { allowed_mentions, embeds } = JSON.parse(body)
  assert.deepEqual(allowed_mentions, { parse: [] })
  const [{ description, fields }] = embeds
  assert.doesNotMatch(description, /(?<!\\)[@[*<]|\u202e/)
  assert.ok(!description.includes('\u001b'))
  assert.ok(fields.every(({ value }: { value: string }) => value.length <= 1024) && description.length <= 4096)
})

test('a letter carries no link and no control character of a stranger', () => {
  const { subject, text } = letterOf({ ...content, message: 'Look at https://evil.test\u0007' })
  assert.ok(!text.includes('https://') && !text.includes('\u0007'))
  assert.ok(subject.length < 200)
  assert.ok(Content.safeParse(content).success)
})
