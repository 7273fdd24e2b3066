import { z } from 'zod'
import { type ErrorCode, statusOfCode } from './errors.ts'
import { replyBody } from './exchange.ts'
import { errorSchemas, replySchema } from './exchange-schemas.ts'
import { inlineSchema, type Json, JsonSchemas } from './json-schemas.ts'
import {
  type Access,
  accessErrors,
  commonErrors,
  type Declared,
  type Family,
  type Operation,
  type Operations,
  type Socket,
  type Sockets,
  type Transfer,
  type Transfers,
} from './operation.ts'
import { ticketPurposes } from './permissions.ts'

/** What the document says about the whole. */
export interface DocumentInfo {
  title: string
  version: string
  description: string
  license: { name: string; identifier: string }
  /** The URL or path that all paths begin with: `/api/v1`. */
  server: { url: string; description: string }
  /** A sentence for each tag that the operations use, in the order of the document. */
  tags: Readonly<Record<string, string>>
  /** The name of the cookie that holds a browser's session. */
  sessionCookie: string
}

/**
 * The OpenAPI 3.1 document of these operations: everything that a declaration says, and nothing else. Operations of the
 * `internal` family are in no public document and are refused here, as is a tag without its sentence.
 */
export function toOpenApi(
  groups: readonly Operations[],
  sockets: readonly Sockets[],
  transfers: readonly Transfers[],
  info: DocumentInfo,
): Json {
  const schemas = new JsonSchemas()
  const described: Described[] = [
    ...groups.flatMap((group) =>
      Object.entries(group).map(([name, operation]) => describeOperation(name, operation, schemas)),
    ),
    ...sockets.flatMap((group) => Object.entries(group).map(([name, socket]) => describeSocket(name, socket, schemas))),
    ...transfers.flatMap((group) =>
      Object.entries(group).map(([name, transfer]) => describeTransfer(name, transfer, schemas)),
    ),
  ]
  const responses = new Map<string, Json>()
  const paths: Record<string, Json> = {}
  for (const { path, method, tag, build } of described) {
    if (!info.tags[tag]) throw new Error(`The tag ${tag} has no description`)
    paths[path] = { ...paths[path], [method]: build(responses) }
  }
  const tickets = transfers.some((group) => Object.values(group).some(({ access }) => isTicket(access)))
  const used = new Set(described.map(({ tag }) => tag))
  return {
    openapi: '3.1.0',
    info: { title: info.title, version: info.version, description: info.description, license: info.license },
    servers: [info.server],
    tags: Object.entries(info.tags).flatMap(([name, description]) => (used.has(name) ? [{ name, description }] : [])),
    paths,
    components: {
      securitySchemes: {
        ...(tickets ? { ticket: ticketScheme } : {}),
        key: { type: 'http', scheme: 'bearer', description: 'An API key of a workspace' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: info.sessionCookie,
          description: 'The session of a browser on the panel’s own pages',
        },
      },
      headers: headerComponents,
      responses: Object.fromEntries([...responses].sort(byName)),
      schemas: schemas.components(),
    },
  }
}

interface Described {
  path: string
  method: string
  tag: string
  build(responses: Map<string, Json>): Json
}

function describeOperation(name: string, operation: Operation, schemas: JsonSchemas): Described {
  const { family, access, reply, body } = operation
  const parts = describeInput(name, operation, schemas)
  const success = schemas.output(`${name}.reply`, replySchema(family, reply))
  const bodyId = body && schemas.input(`${name}.body`, body)
  const example = reply.meta()?.['example']
  return {
    path: operation.path,
    method: operation.method.toLowerCase(),
    tag: operation.tag,
    build: (responses) => ({
      ...parts(),
      ...(body && bodyId
        ? {
            requestBody: {
              required: !body.safeParse(undefined).success,
              content: jsonContent(schemas.of(bodyId), body.meta()?.['example']),
            },
          }
        : {}),
      responses: {
        200: {
          description: 'Done',
          headers: headersFor(access),
          content: jsonContent(schemas.of(success), example === undefined ? undefined : replyBody(family, example)),
        },
        ...errorResponses(operation, responses, schemas),
      },
    }),
  }
}

function describeSocket(name: string, socket: Socket, schemas: JsonSchemas): Described {
  const parts = describeInput(name, socket, schemas)
  const sends = schemas.output(`${name}.sends`, socket.sends)
  const accepts = socket.accepts instanceof z.ZodNever ? undefined : inlineSchema(socket.accepts)
  return {
    path: socket.path,
    method: 'get',
    tag: socket.tag,
    build: (responses) => {
      const common = parts()
      return {
        ...common,
        description: [
          common['description'],
          'A WebSocket: after status 101 each message of the server is one JSON text of the shape shown for status 200.',
          accepts ? 'A message of the client has the shape `x-client-messages`.' : 'The client sends no messages.',
        ]
          .filter(Boolean)
          .join('\n\n'),
        ...(accepts ? { 'x-client-messages': accepts } : {}),
        responses: {
          101: {
            description: 'The connection is a WebSocket from here on',
            headers: headersFor(socket.access),
          },
          200: {
            description: 'One message of the server. (As a status it opens a WebSocket over HTTP/2, see RFC 8441.)',
            content: jsonContent(schemas.of(sends)),
          },
          ...errorResponses(socket, responses, schemas),
        },
      }
    },
  }
}

function describeTransfer(name: string, transfer: Transfer, schemas: JsonSchemas): Described {
  const parts = describeInput(name, transfer, schemas)
  const success =
    'takes' in transfer ? schemas.output(`${name}.reply`, replySchema(transfer.family, transfer.reply)) : null
  return {
    path: transfer.path,
    method: transfer.method.toLowerCase(),
    tag: transfer.tag,
    build: (responses) => ({
      ...parts(),
      ...('takes' in transfer
        ? {
            requestBody: {
              required: true,
              content: Object.fromEntries(transfer.takes.map((type) => [type, rawBytes(type)])),
            },
          }
        : {}),
      responses: {
        ...('takes' in transfer
          ? {
              200: {
                description: 'Done',
                headers: headersFor(transfer.access),
                content: jsonContent(schemas.of(success ?? '')),
              },
            }
          : {
              200: {
                description: 'The bytes',
                headers: headersFor(transfer.access),
                content: { [transfer.gives]: rawBytes(transfer.gives) },
              },
              206: {
                description: 'The range that was asked for',
                headers: headersFor(transfer.access),
                content: { [transfer.gives]: rawBytes(transfer.gives) },
              },
              416: { description: 'There is nothing in that range', headers: headersFor(transfer.access) },
            }),
        ...errorResponses(transfer, responses, schemas),
      },
    }),
  }
}

const rawBytes = (type: string): Json =>
  type === 'multipart/form-data'
    ? {
        schema: {
          type: 'object',
          additionalProperties: { type: 'string', contentMediaType: 'application/octet-stream' },
        },
      }
    : { schema: { type: 'string', contentMediaType: 'application/octet-stream' } }

/** What operations, WebSockets and transfers have in common. */
function describeInput(name: string, operation: Declared, schemas: JsonSchemas): () => Json {
  if (operation.family === 'internal') throw new Error(`${name} is internal: it belongs in no public document`)
  const inputs = (['params', 'query'] as const).flatMap((part) => {
    const schema = operation[part]
    return schema ? [{ place: part === 'params' ? 'path' : 'query', id: schemas.input(`${name}.${part}`, schema) }] : []
  })
  const description = [operation.description, accessSentence(operation.access)].filter(Boolean).join('\n\n')
  return () => {
    const parameters = inputs.flatMap(({ place, id }) => parametersOf(place, schemas.of(id)))
    return {
      operationId: name,
      tags: [operation.tag],
      summary: operation.summary,
      ...(description ? { description } : {}),
      security: securityOf(operation.access),
      ...(parameters.length > 0 ? { parameters } : {}),
    }
  }
}

function parametersOf(place: string, schema: Json): Json[] {
  const required = new Set((schema['required'] ?? []) as string[])
  return Object.entries((schema['properties'] ?? {}) as Record<string, Json>).map(([name, property]) => {
    const { description, examples, ...rest } = property
    return {
      name,
      in: place,
      required: place === 'path' || required.has(name),
      ...(description ? { description } : {}),
      schema: rest,
      ...(Array.isArray(examples) ? { example: examples[0] } : {}),
    }
  })
}

const ticketScheme: Json = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'A ticket for this one thing; a link carries it as `?ticket=`',
}

const isTicket = (access: Access): boolean => typeof access === 'object' && 'ticket' in access

const securityOf = (access: Access): Json[] => {
  if (access === 'public') return []
  if (access === 'session') return [{ session: [] }]
  return isTicket(access) ? [{ ticket: [] }] : [{ key: [] }, { session: [] }]
}

/** Who may do it, for people who read about an operation; undefined where there is nothing to say. */
export function accessSentence(access: Access): string | undefined {
  if (access === 'session') return 'For people who are signed in: an API key cannot do this.'
  if (access === 'instance') return 'For people who administer this installation.'
  if (typeof access === 'string') return undefined
  if ('workspace' in access) return `Needs \`${access.workspace}\` in the workspace.`
  if ('ticket' in access)
    return `Needs a ticket for \`${access.ticket}\`, and that whoever asked for it still has \`${ticketPurposes[access.ticket]}\` on the server.`
  if (access.server === 'visible') return 'Needs access to the server.'
  if (typeof access.server === 'string') return `Needs \`${access.server}\` on the server.`
  const { field, of } = access.server
  return `Needs, on the server, by the value of \`${field}\`: ${Object.entries(of)
    .map(([value, permission]) => `\`${value}\` → \`${permission}\``)
    .join(', ')}.`
}

function errorResponses(operation: Declared, responses: Map<string, Json>, schemas: JsonSchemas): Json {
  const takesBody = operation.method !== 'GET'
  const codes = new Set<ErrorCode>([
    ...commonErrors.filter((code) => takesBody || code !== 'too_large'),
    ...accessErrors(operation.access),
    ...operation.errors,
  ])
  const found: Json = {}
  for (const code of [...codes].sort((left, right) => statusOfCode[left] - statusOfCode[right])) {
    const limited = operation.access !== 'public'
    const name = responseName(operation.family, code, limited)
    if (!responses.has(name)) {
      const schema = schemas.output(`errors.${operation.family}`, errorSchemas[operation.family])
      responses.set(name, {
        description: errorSentences[code],
        headers: {
          ...headersFor(operation.access),
          ...(code === 'rate_limited' ? { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } : {}),
        },
        content: jsonContent(schemas.of(schema), errorExample(operation.family, code)),
      })
    }
    found[statusOfCode[code]] = { $ref: `#/components/responses/${name}` }
  }
  return found
}

const responseName = (family: Family, code: ErrorCode, limited: boolean): string =>
  [family, ...code.split('_'), ...(limited ? [] : ['public'])]
    .map((word) => word[0]?.toUpperCase() + word.slice(1))
    .join('')

const errorSentences: Record<ErrorCode, string> = {
  invalid_request: 'Parameters, query or body are not as described here',
  unauthorized: 'No credential, or one that is unknown, expired or revoked',
  forbidden: 'The caller may not do this',
  not_found: 'There is no such thing, or the caller may not know of it',
  conflict: 'It cannot be done in the present state; the message says why',
  too_large: 'The body is larger than is accepted here',
  rate_limited: 'Too many requests; `Retry-After` says when to come back',
  internal: 'A fault on our side; the request id names it in the log',
}

function errorExample(family: Family, code: ErrorCode): Json {
  if (family === 'panel') return { success: false, error: `${errorSentences[code].split(/[;,]/)[0]}` }
  if (code === 'internal') return { error: code }
  const message = errorSentences[code]
  return code === 'invalid_request'
    ? { error: code, message, details: [{ where: 'body.label', problem: 'is a number', expected: 'string' }] }
    : { error: code, message }
}

const headersFor = (access: Access): Json => ({
  'X-Request-Id': { $ref: '#/components/headers/RequestId' },
  ...(access === 'public'
    ? {}
    : {
        'X-RateLimit-Limit': { $ref: '#/components/headers/RateLimitLimit' },
        'X-RateLimit-Remaining': { $ref: '#/components/headers/RateLimitRemaining' },
        'X-RateLimit-Reset': { $ref: '#/components/headers/RateLimitReset' },
      }),
})

const headerComponents: Json = {
  RequestId: { description: 'Names this request in the server’s log', schema: { type: 'string' } },
  RateLimitLimit: { description: 'Requests allowed per minute', schema: { type: 'integer' } },
  RateLimitRemaining: { description: 'Requests left in this window', schema: { type: 'integer' } },
  RateLimitReset: { description: 'Seconds until the window ends', schema: { type: 'integer' } },
  RetryAfter: { description: 'Seconds until another try makes sense', schema: { type: 'integer' } },
}

const jsonContent = (schema: Json, example?: unknown): Json => ({
  'application/json': { schema, ...(example === undefined ? {} : { example }) },
})

const byName = ([left]: [string, unknown], [right]: [string, unknown]): number => (left < right ? -1 : 1)
