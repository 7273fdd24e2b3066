import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

/** A JSON Schema, as far as this page shows it. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  example?: unknown
  examples?: unknown[]
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
}

export interface Parameter {
  name: string
  in: 'path' | 'query'
  required?: boolean
  description?: string
  schema: Schema
  example?: unknown
}

interface Content {
  schema?: Schema
  example?: unknown
}

interface Reply {
  $ref?: string
  description?: string
  content?: Record<string, Content>
}

export interface ApiOperation {
  id: string
  method: string
  /** `/api/v1/servers/{serverId}` */
  path: string
  tag: string
  summary: string
  description: string | undefined
  parameters: readonly Parameter[]
  body: { required: boolean; content: Record<string, Content> } | undefined
  replies: readonly (Reply & { status: string })[]
  /** How one shows who one is; empty where nobody has to. */
  credentials: readonly string[]
}

export interface Reference {
  version: string
  groups: readonly { name: string; description: string; operations: readonly ApiOperation[] }[]
  /** What a `$ref` stands for. */
  resolve(schema: Schema): Schema
}

/** The API's description of itself, in the order of its groups. */
export const referenceQuery = queryOptions({
  queryKey: ['openapi'],
  // The panel that sent this page made the document, and its tests hold it to the specification.
  queryFn: async ({ signal }) => readDocument((await api.openapi({}, { signal })) as unknown as Document),
  staleTime: Number.POSITIVE_INFINITY,
})

interface Document {
  info: { version: string }
  servers: { url: string }[]
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, DocumentOperation>>
  components: { schemas: Record<string, Schema>; responses: Record<string, Reply> }
}

interface DocumentOperation {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, Content> }
  responses: Record<string, Reply>
  security?: Record<string, unknown>[]
}

function readDocument({ info, servers, tags, paths, components }: Document): Reference {
  const prefix = servers[0]?.url ?? ''
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): ApiOperation => {
      const { operationId, summary, description, parameters = [], requestBody, responses, security = [] } = operation
      return {
        id: operationId,
        method: method.toUpperCase(),
        path: prefix + path,
        tag: operation.tags[0] ?? '',
        summary,
        description,
        parameters,
        body: requestBody && { required: requestBody.required ?? false, content: requestBody.content },
        replies: Object.entries(responses).map(([status, reply]) => ({
          ...(reply.$ref ? components.responses[lastPart(reply.$ref)] : reply),
          status,
        })),
        credentials: security.flatMap((each) => Object.keys(each)),
      }
    }),
  )
  return {
    version: info.version,
    groups: tags.map(({ name, description }) => ({
      name,
      description,
      operations: operations.filter(({ tag }) => tag === name),
    })),
    resolve(schema) {
      const found = schema.$ref === undefined ? undefined : components.schemas[lastPart(schema.$ref)]
      return found ?? schema
    },
  }
}

const lastPart = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)
