import { test } from 'node:test'
import { z } from 'zod'
import type { AppError } from './errors.ts'
import {
  type Arguments,
  type Contexts,
  type Handlers,
  operation,
  type ReplyData,
  type SocketHandlers,
  socket,
} from './operation.ts'

/**
 * What the compiler must refuse. Each `@ts-expect-error` fails the type check if its line ever compiles; at run time there is
 * nothing to do.
 */

const things = {
  thing: operation({
    method: 'GET',
    path: '/things/{id}',
    family: 'panel',
    tag: 'T',
    summary: 's',
    access: 'account',
    params: z.object({ id: z.string() }),
    query: z.object({ size: z.int().optional() }),
    reply: z.object({ id: z.string(), size: z.int().nullable() }),
    errors: [],
  }),
  make: operation({
    method: 'POST',
    path: '/things',
    family: 'panel',
    tag: 'T',
    summary: 's',
    access: { server: 'files.write' },
    query: z.object({ days: z.int() }),
    body: z.strictObject({ name: z.string() }),
    reply: z.object({ id: z.string() }),
    errors: [],
  }),
  label: operation({
    method: 'POST',
    path: '/label',
    family: 'control',
    tag: 'T',
    summary: 's',
    access: 'public',
    body: z.strictObject({ label: z.string() }).optional(),
    reply: z.object({}),
    errors: [],
  }),
  list: operation({
    method: 'GET',
    path: '/things',
    family: 'control',
    tag: 'T',
    summary: 's',
    access: 'public',
    reply: z.array(z.string()),
    errors: [],
  }),
}
const live = {
  lines: socket({
    method: 'GET',
    path: '/lines',
    family: 'panel',
    tag: 'T',
    summary: 's',
    access: 'account',
    sends: z.object({ line: z.string() }),
    accepts: z.object({ say: z.string() }),
    errors: [],
  }),
}
interface Known extends Contexts {
  account: { userId: string }
  server: { userId: string; serverId: string }
}
const good: Handlers<typeof things, Known> = {
  thing: ({ params, query, userId }) => ({ id: params.id + userId, size: query.size ?? null }),
  make: ({ body, serverId }) => ({ id: body.name + serverId }),
  label: ({ body }) => (body ? {} : {}),
  list: () => Promise.resolve([]),
}

test('a missing handler, another reply, or an input that the operation does not have do not compile', () => {
  const { list: _, ...withoutList } = good
  // @ts-expect-error a handler is missing
  const missing: Handlers<typeof things, Known> = withoutList
  // @ts-expect-error the reply lacks a field
  const short: Handlers<typeof things, Known> = { ...good, thing: ({ params }) => ({ id: params.id }) }
  // @ts-expect-error the reply has a field of another type
  const retyped: Handlers<typeof things, Known> = { ...good, make: async () => ({ id: 5 }) }
  // @ts-expect-error no such operation
  const more: Handlers<typeof things, Known> = { ...good, other: () => ({}) }
  // @ts-expect-error the operation has no body
  const body: Handlers<typeof things, Known> = { ...good, list: ({ body }) => [body.name] }
  // @ts-expect-error the body may be absent
  const absent: Handlers<typeof things, Known> = { ...good, label: ({ body }) => ({ label: body.label }) }
  // @ts-expect-error this access proves no server
  const proof: Handlers<typeof things, Known> = { ...good, thing: ({ serverId }) => ({ id: serverId, size: null }) }
  void [missing, short, retyped, more, body, absent, proof]
})

test('a live handler sends and hears only what is declared', () => {
  type Live = SocketHandlers<typeof live, Known>
  const fine: Live = { lines: ({ channel }) => channel.onMessage(({ say }) => channel.send({ line: say })) }
  // @ts-expect-error the message has another field
  const wrongSend: Live = { lines: ({ channel }) => channel.send({ text: 'x' }) }
  // @ts-expect-error the client says no such thing
  const wrongHear: Live = { lines: ({ channel }) => channel.onMessage(({ shout }) => shout) }
  void [fine, wrongSend, wrongHear]
})

test('a declaration with an unknown word does not compile', () => {
  const base = {
    method: 'GET',
    path: '/x',
    family: 'panel',
    tag: 'T',
    summary: 's',
    access: 'public',
    reply: z.object({}),
    errors: [],
  } as const
  operation(base)
  // @ts-expect-error no such permission
  operation({ ...base, access: { server: 'files.everything' } })
  // @ts-expect-error no such error code
  operation({ ...base, errors: ['teapot'] })
  // @ts-expect-error no such family
  operation({ ...base, family: 'other' })
  // @ts-expect-error a path begins with a slash
  operation({ ...base, path: 'x' })
  // @ts-expect-error parameters are fields
  operation({ ...base, params: z.string() })
  void (null as AppError | null)
})

test('a client’s arguments are exactly those that the operation declares', () => {
  const take = <O>(_operation: O, ..._args: Arguments<O>[]): void => undefined
  take(
    things.thing,
    { params: { id: 'a' } },
    { params: { id: 'a' }, query: {} },
    { params: { id: 'a' }, query: { size: 5 } },
  )
  take(things.make, { query: { days: 1 }, body: { name: 'x' } })
  take(things.label, {}, { body: { label: 'x' } })
  // @ts-expect-error params are missing
  take(things.thing, {})
  // @ts-expect-error no such parameter
  take(things.thing, { params: { id: 'a', other: 'b' } })
  // @ts-expect-error no such query field
  take(things.thing, { params: { id: 'a' }, query: { siez: 5 } })
  // @ts-expect-error a query field of another type
  take(things.thing, { params: { id: 'a' }, query: { size: '5' } })
  // @ts-expect-error a GET has no body here
  take(things.thing, { params: { id: 'a' }, body: {} })
  // @ts-expect-error the query has a field that must be there
  take(things.make, { body: { name: 'x' } })
  // @ts-expect-error the body is missing
  take(things.make, { query: { days: 1 } })
  // @ts-expect-error the body has another field
  take(things.label, { body: { lable: 'x' } })
  const data: ReplyData<typeof things.thing> = { id: 'a', size: 5 }
  // @ts-expect-error the reply has no such field
  void data.name
})
