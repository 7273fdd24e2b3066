import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { reservePort } from '../../test/ports.ts'
import { ApiError, type ReceivedReply, type SentRequest } from '../contract/exchange.ts'
import { operation, socket } from '../contract/operation.ts'
import { type ClientOptions, createClient } from './client.ts'
import { openSocket } from './socket.ts'

const base = { tag: 'T', summary: 's', access: 'public', errors: [] } as const
const things = {
  thing: operation({
    ...base,
    method: 'GET',
    path: '/things/{id}/parts/{part}',
    family: 'panel',
    params: z.object({ id: z.string(), part: z.string() }),
    query: z.object({ size: z.int().optional(), text: z.string().optional() }),
    reply: z.object({ id: z.string() }),
  }),
  label: operation({
    ...base,
    method: 'POST',
    path: '/label',
    family: 'control',
    body: z.strictObject({ label: z.string() }).optional(),
    reply: z.object({ label: z.string().nullable() }),
  }),
  list: operation({ ...base, method: 'GET', path: '/things', family: 'control', reply: z.array(z.string()) }),
}

/** A client whose requests are kept and answered by `answer`. */
function scripted(
  answer: Partial<Omit<ReceivedReply, 'headers'>> & { headers?: Record<string, string> },
  options: Partial<ClientOptions> = {},
) {
  const sent: SentRequest[] = []
  const headers = new Headers(answer.headers)
  const client = createClient(things, {
    baseUrl: '/api/v1/',
    ...options,
    send: async (request) => {
      sent.push(request)
      return { status: answer.status ?? 200, headers, text: answer.text ?? '{}' }
    },
  })
  return { client, sent }
}

const failing = async (answer: Parameters<typeof scripted>[0]): Promise<ApiError> => {
  const error = await scripted(answer)
    .client.list()
    .then(
      () => assert.fail('resolved'),
      (thrown: unknown) => thrown,
    )
  assert.ok(error instanceof ApiError)
  return error
}

describe('a request', () => {
  test('has its parameters and query encoded', async () => {
    const { client, sent } = scripted({ text: '{"success":true,"data":{"id":"x"}}' }, { token: 'secret' })
    assert.deepEqual(
      await client.thing({ params: { id: 'a/b?c#d', part: 'é %' }, query: { size: 5, text: 'a&b=c' } }),
      { id: 'x' },
    )
    assert.deepEqual(sent, [
      {
        method: 'GET',
        path: '/api/v1/things/a%2Fb%3Fc%23d/parts/%C3%A9%20%25?size=5&text=a%26b%3Dc',
        headers: { accept: 'application/json', authorization: 'Bearer secret' },
      },
    ])
  })
  test('leaves out what is not given', async () => {
    const { client, sent } = scripted({ text: '{"label":null}' })
    assert.deepEqual(await client.label(), { label: null })
    assert.deepEqual(sent, [{ method: 'POST', path: '/api/v1/label', headers: { accept: 'application/json' } }])
  })
  test('sends its body as JSON and takes the newest token', async () => {
    let token = 'first'
    const { client, sent } = scripted({ text: '{"label":"x"}' }, { token: () => token })
    await client.label({ body: { label: 'x' } })
    token = 'second'
    await client.label({})
    assert.equal(sent[0]?.body, '{"label":"x"}')
    assert.deepEqual(
      sent.map(({ headers }) => headers.authorization),
      ['Bearer first', 'Bearer second'],
    )
  })
  test('a parameter that would name another route is not sent', async () => {
    const { client, sent } = scripted({})
    for (const id of ['..', '.', '']) await assert.rejects(client.thing({ params: { id, part: 'x' } }), TypeError)
    assert.equal(sent.length, 0)
  })
})

describe('a reply', () => {
  test('may have fields that this client does not know', async () => {
    const { client } = scripted({ text: '{"success":true,"data":{"id":"x","newer":1},"also":2}' })
    assert.deepEqual(await client.thing({ params: { id: 'a', part: 'b' } }), { id: 'x', newer: 1 })
  })
  test('is checked against its schema only where that is asked for', async () => {
    const { client } = scripted({ text: '{"label":5}' }, { checkReplies: true })
    await assert.rejects(client.label(), z.ZodError)
  })
  test('of the control family tells its code, details and request id', async () => {
    const error = await failing({
      status: 400,
      headers: { 'x-request-id': 'r1' },
      text: '{"error":"invalid_request","message":"Bad label","details":[{"where":"body.label","problem":"is missing"}]}',
    })
    assert.deepEqual(
      [error.code, error.status, error.message, error.details, error.requestId],
      ['invalid_request', 400, 'Bad label', [{ where: 'body.label', problem: 'is missing' }], 'r1'],
    )
  })
  test('of the panel family has its code from the status and its sentence as the message', async () => {
    const error = await failing({
      status: 409,
      text: '{"success":false,"error":"The server is running. Stop it first."}',
    })
    assert.deepEqual([error.code, error.message], ['conflict', 'The server is running. Stop it first.'])
  })
  test('to an unknown route is understood', async () => {
    assert.equal((await failing({ status: 404, text: '{"success":false,"error":"not_found"}' })).code, 'not_found')
  })
  test('tells when to try again', async () => {
    assert.equal(
      (await failing({ status: 429, headers: { 'retry-after': '7' }, text: '{"error":"rate_limited"}' }))
        .retryAfterSeconds,
      7,
    )
  })
  const foreign: [what: string, answer: Parameters<typeof scripted>[0]][] = [
    ['a page of a proxy', { status: 502, text: '<html>Bad Gateway</html>' }],
    ['a page with status 200', { status: 200, text: '<html>Welcome</html>' }],
    ['an empty answer', { status: 200, text: '' }],
    ['somebody else’s JSON', { status: 418, text: '{"error":"teapot"}' }],
    ['JSON of another shape', { status: 500, text: '[1]' }],
  ]
  for (const [what, answer] of foreign)
    test(`${what} is not taken for an answer of ours`, async () =>
      assert.equal((await failing(answer)).code, 'unreachable'))
  test('of the panel family without its wrapping is not ours', async () => {
    const { client } = scripted({ text: '{"id":"x"}' })
    await assert.rejects(
      client.thing({ params: { id: 'a', part: 'b' } }),
      (error: unknown) => error instanceof ApiError && error.code === 'unreachable',
    )
  })
})

describe('over the network', () => {
  test('a server that is not there is named', async () => {
    const port = await reservePort()
    const client = createClient(things, { baseUrl: `http://127.0.0.1:${port}/api/v1`, token: 'secret' })
    await assert.rejects(
      client.list(),
      (error: unknown) =>
        error instanceof ApiError &&
        error.code === 'unreachable' &&
        error.message === `Cannot reach http://127.0.0.1:${port}: nothing listens there`,
    )
  })
  test('giving up rejects with the caller’s reason', async () => {
    await using server = await listen(() => undefined)
    const giveUp = new AbortController()
    const waiting = createClient(things, { baseUrl: server.url }).list({}, { signal: giveUp.signal })
    giveUp.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
  })
  test('a refused live connection says why, although a WebSocket cannot', async () => {
    await using server = await listen((_, response) =>
      response.writeHead(403).end('{"success":false,"error":"You may not read this console"}'),
    )
    const lines = socket({
      ...base,
      method: 'GET',
      path: '/lines',
      family: 'panel',
      sends: z.object({}),
      accepts: z.never(),
    })
    await assert.rejects(
      openSocket(lines, {}, { baseUrl: server.url, token: 'x' }),
      (error: unknown) =>
        error instanceof ApiError && error.code === 'forbidden' && error.message === 'You may not read this console',
    )
  })
})

async function listen(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
