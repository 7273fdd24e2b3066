import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MovableClock } from '../../test/world/panel.ts'
import { answerKeptMs, answersMax, Challenges } from './challenges.ts'
import { certificateFor } from './testing/certificates.ts'

const answer = { type: 'http-01', host: 'app.example.org', token: 'token', keyAuthorization: 'token.thumb' } as const
const asked = { method: 'GET', host: 'app.example.org', target: '/.well-known/acme-challenge/token' }

function start() {
  const clock = new MovableClock()
  return { challenges: new Challenges(clock), advance: (ms: number) => clock.advance(ms) }
}

test('an order’s answer is given on its own host alone, under its own token alone, and taken back', () => {
  const { challenges } = start()
  assert.equal(challenges.httpResponse(asked), null)
  challenges.offer(answer)
  const response = challenges.httpResponse(asked)?.toString() ?? ''
  assert.match(response, /^HTTP\/1\.1 200 OK\r\n/)
  assert.match(response, /\r\n\r\ntoken\.thumb$/)
  assert.match(challenges.httpResponse({ ...asked, host: 'APP.example.org.:80' })?.toString() ?? '', /token\.thumb$/)
  for (const other of [
    { host: 'other.example.org' },
    { host: 'x.app.example.org' },
    { target: '/.well-known/acme-challenge/' },
    { target: '/.well-known/acme-challenge/token2' },
    { target: '/.well-known/acme-challenge/token?x' },
    { target: '/x/.well-known/acme-challenge/token' },
    { method: 'POST' },
  ])
    assert.equal(challenges.httpResponse({ ...asked, ...other }), null, JSON.stringify(other))
  challenges.withdraw('token')
  challenges.withdraw('token')
  assert.equal(challenges.httpResponse(asked), null)
})

test('an answer that nobody takes back is forgotten, and there are never more than so many', () => {
  const { challenges, advance } = start()
  challenges.offer(answer)
  advance(answerKeptMs)
  assert.equal(challenges.httpResponse(asked), null)
  for (let number = 0; number < answersMax + 10; number++) challenges.offer({ ...answer, token: `t${number}` })
  assert.equal(challenges.size, answersMax)
})

test('the certificate of a challenge is shown to who speaks nothing but acme-tls/1, for its host', async () => {
  const { challenges } = start()
  const { certificate, key } = await certificateFor(['app.example.org'])
  challenges.offer({ type: 'tls-alpn-01', host: 'app.example.org', token: 'tls', certificate, key })
  assert.ok(challenges.tlsContext('app.example.org', ['acme-tls/1']))
  assert.equal(challenges.tlsContext('other.example.org', ['acme-tls/1']), null)
  assert.equal(challenges.tlsContext('app.example.org', ['acme-tls/1', 'h2']), null)
  assert.equal(challenges.tlsContext('app.example.org', ['h2']), null)
  assert.equal(challenges.tlsContext('app.example.org', []), null)
  assert.throws(() =>
    challenges.offer({ type: 'tls-alpn-01', host: 'a.org', token: 'x', certificate: 'no', key: 'no' }),
  )
  assert.equal(challenges.size, 1)
})
