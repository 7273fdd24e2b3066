import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { GrantedSignatureRule, Signer } from '../../contract/access-rules.ts'
import { isSigned } from './signatures.ts'

/** Vectors that their makers publish, where they do; the rest is made as their documents say, with nothing of ours. */

const body = Buffer.from('{"hello":"world"}')
const now = 1_700_000_000_000
const seconds = String(now / 1000)
const secret = 'a secret of a hook'
const rule = (signer: Signer, more: Partial<GrantedSignatureRule> = {}): GrantedSignatureRule => ({
  signer,
  toleranceSeconds: 300,
  secret,
  ...more,
})
const hmac = (text: string, encoding: 'hex' | 'base64' = 'hex', algorithm = 'sha256', key: string | Buffer = secret) =>
  createHmac(algorithm, key).update(text).digest(encoding)
const lines = (fields: Record<string, string>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
const check = (by: GrantedSignatureRule, fields: Record<string, string>, of = body, at = now) =>
  isSigned(by, lines(fields), of, at)

test('GitHub: its documented vector, and nothing else', () => {
  const by = rule('github', { secret: "It's a Secret to Everybody" })
  const mark = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
  const hello = Buffer.from('Hello, World!')
  assert.equal(check(by, { 'X-Hub-Signature-256': mark }, hello), true)
  assert.equal(check(by, { 'X-Hub-Signature-256': mark.toUpperCase().replace('SHA256', 'sha256') }, hello), true)
  for (const wrong of [mark.slice(7), `${mark}00`, mark.slice(0, -2), 'sha256=', '', mark.replace('sha256', 'sha1')])
    assert.equal(check(by, { 'X-Hub-Signature-256': wrong }, hello), false, wrong)
  assert.equal(check(by, { 'X-Hub-Signature-256': mark }, body), false)
  assert.equal(isSigned(by, `X-Hub-Signature-256: ${mark}\r\nX-Hub-Signature-256: ${mark}\r\n`, hello, now), false)
})

test('Standard Webhooks: the vector of its specification, under both names', () => {
  const by = rule('standard', { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' })
  const payload = Buffer.from('{"test": 2432232314}')
  const at = 1_614_265_330_000
  const mark = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
  for (const name of ['webhook', 'svix']) {
    const fields = {
      [`${name}-id`]: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      [`${name}-timestamp`]: '1614265330',
      [`${name}-signature`]: `v1,AAAA ${mark}`,
    }
    assert.equal(check(by, fields, payload, at), true)
    assert.equal(check(by, fields, payload, at + 301_000), false)
    assert.equal(check(by, { ...fields, [`${name}-id`]: 'msg_other' }, payload, at), false)
    assert.equal(check(by, { ...fields, [`${name}-timestamp`]: '1614265331' }, payload, at), false)
    assert.equal(check(by, { ...fields, [`${name}-signature`]: mark.replace('v1', 'v2') }, payload, at), false)
  }
})

test('Slack: the vector of its documents', () => {
  const by = rule('slack', { secret: '8f742231b10e8888abcd99yyyzzz85a5' })
  const payload = Buffer.from(
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
  )
  const fields = {
    'X-Slack-Request-Timestamp': '1531420618',
    'X-Slack-Signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  }
  const at = 1_531_420_618_000
  assert.equal(check(by, fields, payload, at), true)
  assert.equal(check(by, fields, payload, at - 301_000), false)
  assert.equal(check(by, { ...fields, 'X-Slack-Request-Timestamp': ' 1531420618.0' }, payload, at), false)
  assert.equal(check(by, fields, body, at), false)
})

test('Stripe: either of two signatures, of one time that is fresh', () => {
  const by = rule('stripe')
  const mark = hmac(`${seconds}.${body}`)
  const signed = (text: string, at = now) => check(by, { 'Stripe-Signature': text }, body, at)
  assert.equal(signed(`t=${seconds},v1=${mark},v0=x`), true)
  assert.equal(signed(`t=${seconds},v1=00,v1=${mark}`), true)
  assert.equal(signed(`t=${seconds},v1=${mark}`, now + 301_000), false)
  for (const wrong of [
    `v1=${mark}`,
    `t=${seconds}`,
    `t=${seconds},v0=${mark}`,
    `t=1,t=${seconds},v1=${mark}`,
    `t=${Number(seconds) - 1},v1=${mark}`,
  ])
    assert.equal(signed(wrong), false, wrong)
})

test('Shopify, GitLab and signatures that are described by hand', () => {
  assert.equal(check(rule('shopify'), { 'X-Shopify-Hmac-Sha256': hmac(String(body), 'base64') }), true)
  assert.equal(check(rule('shopify'), { 'X-Shopify-Hmac-Sha256': hmac(String(body)) }), false)
  assert.equal(check(rule('gitlab'), { 'X-Gitlab-Token': secret }), true)
  for (const wrong of ['', `${secret} x`, secret.slice(0, -1)])
    assert.equal(check(rule('gitlab'), { 'X-Gitlab-Token': wrong }), false)
  const by = rule('hmac', { header: 'X-Sign', algorithm: 'sha512', encoding: 'base64', prefix: 'v2:' })
  assert.equal(check(by, { 'x-sign': `v2:${hmac(String(body), 'base64', 'sha512')}` }), true)
  assert.equal(check(by, { 'x-sign': hmac(String(body), 'base64', 'sha512') }), false)
  assert.equal(check(by, { 'x-sign': `v2:${hmac(String(body), 'base64', 'sha256')}` }), false)
  for (const signer of ['github', 'gitlab', 'stripe', 'slack', 'shopify', 'standard'] as const)
    assert.equal(check(rule(signer), {}), false, signer)
})
