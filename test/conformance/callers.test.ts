import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { apiPrefix, publicOperations, publicSockets, publicTransfers } from '../../src/contract/api/index.ts'
import { type ErrorCode, statusOfCode } from '../../src/contract/errors.ts'
import { accessErrors, commonErrors, type Operation, type Socket, type Transfer } from '../../src/contract/operation.ts'
import { type ServerPermission, serverPermissions } from '../../src/contract/permissions.ts'
import { type Sample, samples } from './samples.ts'
import { type ConformanceWorld, startConformanceWorld } from './world.ts'

/**
 * Every operation as every kind of caller, expected to answer exactly what its declaration says: nothing here knows an
 * operation by name.
 */
describe('every operation as every kind of caller', () => {
  let world: ConformanceWorld
  before(async () => {
    world = await startConformanceWorld()
  })
  after(() => world?.[Symbol.asyncDispose]())

  for (const [name, operation] of Object.entries<Operation>(publicOperations)) {
    const sample = samples[name as keyof typeof samples]
    it(`${operation.method} ${operation.path} (${name}) admits exactly whom it should`, async () => {
      world.passMinutes()
      const serverId = await world.server()
      const ask = (key: string | null, server = serverId) => request(operation, sample, server, key)

      if (operation.access === 'public') {
        await check(operation, await ask(null), 'admitted')
        await check(operation, await ask('phk_never-was-a-key'), 'admitted')
        return
      }
      await check(operation, await ask(null), 'unauthorized')
      await check(operation, await ask('phk_never-was-a-key'), 'unauthorized')
      await check(operation, await ask(world.revokedKey), 'unauthorized')
      await check(operation, await ask(world.expiredKey), 'unauthorized')
      await check(operation, await ask(world.frozen.key, world.frozen.serverId), 'forbidden')

      if (operation.access === 'session') {
        await check(operation, await ask(world.ada.key), 'forbidden')
        await check(operation, await ask(world.operator.key), 'forbidden')
        await check(operation, await ask('pharos_session=phc_never-was-a-session'), 'unauthorized')
        await check(operation, await ask(world.ada.cookie), 'admitted')
      } else if (operation.access === 'instance') {
        await check(operation, await ask(world.ada.key), 'forbidden')
        await check(operation, await ask(world.operator.key), 'admitted')
      } else if (
        operation.access === 'account' ||
        (typeof operation.access === 'object' && 'workspace' in operation.access)
      ) {
        const permission =
          typeof operation.access === 'object' && 'workspace' in operation.access ? operation.access.workspace : null
        const { permissions } = await world.friend.api.members()
        const member = permission === null || permissions.includes(permission) ? 'admitted' : 'forbidden'
        await check(operation, await ask(world.friend.key), member)
        await check(operation, await ask(world.ada.key), 'admitted')
      } else {
        await check(operation, await ask(world.zoe.key), 'not_found')
        await check(operation, await ask(world.operator.key), 'not_found')
        await check(operation, await ask(world.ada.key, '00000000'), 'not_found')
        const needed = neededPermission(operation, sample)
        const friendId = await world.share(
          serverId,
          serverPermissions.filter((one) => one !== needed),
        )
        await check(operation, await ask(world.friend.key), needed === null ? 'admitted' : 'forbidden')
        await world.ada.api.updateSubuser({
          params: { serverId, subuser: friendId },
          body: { permissions: needed === null ? [] : [needed] },
        })
        await check(operation, await ask(world.friend.key), 'admitted')
        await world.ada.api.deleteSubuser({ params: { serverId, subuser: friendId } })
        await check(operation, await ask(world.friend.key), 'not_found')
        await check(operation, await ask(world.ada.key), 'admitted')
      }
    })
  }

  for (const [name, socket] of Object.entries<Socket>(publicSockets))
    it(`the socket ${socket.path} (${name}) opens for exactly whom it should`, async () => {
      world.passMinutes()
      const serverId = await world.server()
      const ask = (key: string | null) => upgrade(socket, serverId, key)
      assert.equal(await ask(null), 401)
      assert.equal(await ask('phk_never-was-a-key'), 401)
      assert.equal(await ask(world.revokedKey), 401)
      assert.equal(await ask(world.expiredKey), 401)
      assert.equal(await ask(world.frozen.key), 403)
      if (typeof socket.access === 'object') assert.equal(await ask(world.zoe.key), 404)
      assert.equal(await ask(world.ada.key), 101)
    })

  for (const [name, transfer] of Object.entries<Transfer>(publicTransfers))
    it(`the bytes of ${transfer.method} ${transfer.path} (${name}) are for nobody without a ticket`, async () => {
      world.passMinutes()
      assert.ok(
        typeof transfer.access === 'object' && 'ticket' in transfer.access,
        'other access needs a test of its own',
      )
      const path = transfer.path.replace('{serverId}', await world.server())
      for (const key of [
        null,
        'phk_never-was-a-key',
        world.revokedKey,
        world.expiredKey,
        world.ada.key,
        world.operator.key,
      ]) {
        const reply = await fetch(world.baseUrl + path, {
          method: transfer.method,
          headers: key === null ? {} : { authorization: `Bearer ${key}` },
          ...(transfer.method === 'GET' ? {} : { body: 'bytes' }),
        })
        assert.equal(reply.status, statusOfCode.unauthorized)
        checkErrorShape(transfer, await reply.json(), ['unauthorized'], path)
      }
    })

  async function request(
    operation: Operation,
    { params = {}, query, body }: Sample,
    serverId: string,
    key: string | null,
  ) {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent((params[name] ?? '').replace('{server}', serverId)),
    )
    const reply = await fetch(`${world.baseUrl}${path}${query ? `?${new URLSearchParams(query)}` : ''}`, {
      method: operation.method,
      headers: {
        ...(key === null ? {} : credentialHeaders(key)),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return {
      status: reply.status,
      headers: reply.headers,
      data: (await reply.json()) as unknown,
      authenticated: key !== null,
    }
  }

  /** A key goes into its header; a session's cookie comes from a page of the panel. */
  const credentialHeaders = (text: string): Record<string, string> =>
    text.startsWith('pharos_session=')
      ? { cookie: text, origin: new URL(world.baseUrl).origin }
      : { authorization: `Bearer ${text}` }

  async function upgrade(socket: Socket, serverId: string, key: string | null): Promise<number> {
    const { WebSocket } = await import('ws')
    const path = socket.path.replace('{serverId}', encodeURIComponent(serverId))
    const client = new WebSocket(`${world.panel.url.replace('http', 'ws')}${apiPrefix}${path}`, {
      headers: key === null ? {} : { authorization: `Bearer ${key}` },
    })
    return new Promise((resolve, reject) => {
      client.once('open', () => {
        client.terminate()
        resolve(101)
      })
      client.once('unexpected-response', (_, response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      client.once('error', reject)
    })
  }
})

type Outcome = 'admitted' | 'unauthorized' | 'forbidden' | 'not_found'

async function check(
  operation: Operation,
  { status, headers, data, authenticated }: { status: number; headers: Headers; data: unknown; authenticated: boolean },
  outcome: Outcome,
): Promise<void> {
  const said = `${operation.method} ${operation.path} answered ${status} ${JSON.stringify(data)}, expected ${outcome}`
  assert.ok(headers.get('x-request-id'), 'a reply carries its request id')
  if (authenticated && outcome !== 'unauthorized' && operation.access !== 'public')
    for (const header of ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'])
      assert.match(headers.get(header) ?? '', /^\d+$/, `${said}: no ${header}`)
  if (outcome !== 'admitted') {
    assert.equal(status, statusOfCode[outcome], said)
    checkErrorShape(operation, data, [outcome], said)
    return
  }
  if (status === 200) {
    const reply =
      operation.family === 'panel'
        ? z.strictObject({ success: z.literal(true), data: operation.reply })
        : operation.reply
    const parsed = reply.safeParse(data)
    assert.ok(parsed.success, `${said}\n${parsed.success ? '' : z.prettifyError(parsed.error)}`)
    return
  }
  const declared: ErrorCode[] = [...operation.errors, ...commonErrors.filter((code) => code !== 'internal')]
  // A child that the server does not have is as missing as a server: `accessErrors` names that for every route below one.
  if (/\{serverId\}\/.*\{/.test(operation.path))
    declared.push(...accessErrors(operation.access).filter((code) => code === 'not_found'))
  assert.ok(
    declared.some((code) => statusOfCode[code] === status),
    said,
  )
  checkErrorShape(operation, data, declared, said)
}

function checkErrorShape(
  operation: Pick<Operation, 'family'>,
  data: unknown,
  codes: readonly ErrorCode[],
  said: string,
): void {
  const shape =
    operation.family === 'panel'
      ? z.strictObject({ success: z.literal(false), error: z.string().min(1) })
      : z.strictObject({
          error: z.enum(codes as [ErrorCode, ...ErrorCode[]]),
          message: z.string().optional(),
          details: z.unknown().optional(),
        })
  const parsed = shape.safeParse(data)
  assert.ok(parsed.success, `${said}\n${parsed.success ? '' : z.prettifyError(parsed.error)}`)
}

/** The permission that the sample's request needs on its server; null where seeing it is enough. */
function neededPermission({ access }: Operation, { body }: Sample): ServerPermission | null {
  if (typeof access !== 'object' || !('server' in access)) return null
  if (typeof access.server === 'object') {
    const value: unknown = Reflect.get(body as object, access.server.field)
    return access.server.of[String(value)] ?? null
  }
  return access.server === 'visible' ? null : access.server
}
