import type { Tool as ToolDefinition } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { CallOptions } from '../client/index.ts'
import { publicOperations } from '../contract/api/index.ts'
import { AppError } from '../contract/errors.ts'
import { inlineSchema, type Json } from '../contract/json-schemas.ts'
import { accessSentence } from '../contract/openapi.ts'
import type { AgentTool, Operation } from '../contract/operation.ts'
import { type Following, follow, followings, outcomeSchema } from './following.ts'
import { textPartCharsMax, waitSecondsDefault, waitSecondsMax } from './limits.ts'
import { partOfText } from './text-part.ts'
import type { Api, Given, Tool, ToolCall } from './tool.ts'

type OperationName = keyof typeof publicOperations

/** One tool for each operation of the public API that is marked as one, in the order of the contract. Throws where a mark cannot be kept. */
export function contractTools(): Tool[] {
  const tools = Object.entries<Operation>(publicOperations).flatMap(([name, operation]) =>
    // The names are those of the object that is walked.
    operation.mcp ? [toolOf(name as OperationName, operation, operation.mcp)] : [],
  )
  const names = new Set<string>()
  for (const { definition } of tools) {
    if (names.has(definition.name)) throw new Error(`Two operations are the tool ${definition.name}`)
    names.add(definition.name)
  }
  return tools
}

function toolOf(name: OperationName, operation: Operation, mark: AgentTool): Tool {
  const { method, summary, access } = operation
  const following = followings[name]
  const fields = fieldsOf(name, operation)
  const own: Record<string, Json> = {
    ...(following && { waitSeconds: waitField }),
    ...(mark.longText !== undefined && { from: fromField }),
  }
  for (const field of Object.keys(own))
    if (fields.has(field)) throw new Error(`${name}: the field ${field} is also one of every such tool`)
  const output = outputOf(operation, following !== undefined)
  return {
    definition: {
      name: mark.tool,
      title: titleOf(mark.tool),
      description: [`${summary}.`, operation.description, following && waitSentence, accessSentence(access)]
        .filter(Boolean)
        .join(' '),
      // Made by the schema library as JSON, which its type does not say.
      inputSchema: {
        type: 'object',
        properties: { ...Object.fromEntries([...fields].map(([field, { schema }]) => [field, schema])), ...own },
        required: [...fields].flatMap(([field, { required }]) => (required ? [field] : [])),
        additionalProperties: false,
      } as ToolDefinition['inputSchema'],
      outputSchema: output.schema as ToolDefinition['outputSchema'],
      annotations: {
        title: titleOf(mark.tool),
        readOnlyHint: method === 'GET' && !operation.recorded,
        destructiveHint: method === 'DELETE' || mark.destroys === true,
        idempotentHint: method !== 'POST' && method !== 'PATCH' ? true : mark.repeatable === true,
        openWorldHint: mark.outside === true,
      },
    },
    access,
    strangers: mark.strangers,
    newestLast: mark.newestLast,
    async run(input, call) {
      const { waitSeconds, from, given } = split(input, fields, own)
      const reply = await send(call.api, name, given, { signal: call.signal })
      if (following) return await followed(following, { given, reply, waitSeconds, wrap: output.wrap, call })
      const data = output.wrap(reply)
      return mark.longText === undefined ? { data } : partOfText(data, mark.longText, from)
    },
  }
}

async function followed(
  following: Following,
  {
    given,
    reply,
    waitSeconds,
    wrap,
    call,
  }: {
    given: Given
    reply: unknown
    waitSeconds: number
    wrap: (reply: unknown) => Record<string, unknown>
    call: ToolCall
  },
) {
  const seen = await follow(following, { given, reply }, call, waitSeconds)
  const note = seen.outcome.finished ? undefined : `It goes on by itself: ${following.next}`
  return { data: { ...wrap(seen.reply), outcome: seen.outcome }, note }
}

/** `Create backup` of `create_backup`. */
const titleOf = (tool: string): string => {
  const words = tool.replaceAll('_', ' ')
  return (words[0] ?? '').toUpperCase() + words.slice(1)
}

const waitField: Json = {
  type: 'integer',
  minimum: 0,
  maximum: waitSecondsMax,
  default: waitSecondsDefault,
  description: 'How long to wait for it to be done, in seconds. 0: answer once it has begun. It goes on in any case',
}
const waitSentence = 'Waits until it is done, for at most `waitSeconds`, and says in `outcome` how it stands.'

const fromField: Json = {
  type: 'integer',
  minimum: 0,
  default: 0,
  description: `The character to begin at: an answer has at most ${textPartCharsMax} of them`,
}

type Part = 'params' | 'query' | 'body'

interface Field {
  part: Part
  schema: Json
  required: boolean
  /** The body itself, which is no object. */
  whole?: true
}

/** What an agent can say, in one object: the fields of the path, the query and the body, which must not share a name. */
function fieldsOf(name: string, operation: Operation): Map<string, Field> {
  const fields = new Map<string, Field>()
  const add = (field: string, declared: Field): void => {
    if (fields.has(field)) throw new Error(`${name}: the field ${field} is in two parts of the request`)
    fields.set(field, declared)
  }
  for (const part of ['params', 'query', 'body'] as const) {
    const declared = operation[part]
    if (!declared) continue
    const schema = part === 'body' ? withoutWrapping(declared) : declared
    const json = inlineSchema(schema)
    if (!(schema instanceof z.ZodObject)) {
      add('body', { part, schema: json, required: !declared.safeParse(undefined).success, whole: true })
      continue
    }
    const required = new Set(json.required as string[] | undefined)
    for (const [field, property] of Object.entries(json.properties as Record<string, Json>))
      add(field, { part, schema: part === 'body' ? property : spoken(property), required: required.has(field) })
  }
  return fields
}

/** A body may be left out as a whole where each of its fields may. */
function withoutWrapping(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault || schema instanceof z.ZodNullable)
    // What they wrap is a schema of this library's, whatever its core types call it.
    return withoutWrapping(schema.unwrap() as z.ZodType)
  return schema
}

/** Numbers in paths and queries are declared as texts of digits: agents say them as numbers. */
const spoken = ({ pattern, ...property }: Json): Json =>
  typeof pattern === 'string' && /^\^(?:\[0-9\]|\\d)/.test(pattern)
    ? { ...property, type: 'integer' }
    : { ...property, ...(pattern === undefined ? {} : { pattern }) }

/** The reply's schema, as an object: what is none is wrapped. */
function outputOf(
  { reply }: Operation,
  hasOutcome: boolean,
): { schema: Json & { type: 'object' }; wrap(reply: unknown): Record<string, unknown> } {
  const json = inlineSchema(reply, 'output')
  const [schema, wrap]: [Json & { type: 'object' }, (reply: unknown) => Record<string, unknown>] =
    json.type === 'object'
      ? // The client has read it as JSON; the server has written it by this very schema.
        [{ ...json, type: 'object' }, (value) => value as Record<string, unknown>]
      : [{ type: 'object', properties: { items: json }, required: ['items'] }, (value) => ({ items: value })]
  if (!hasOutcome) return { schema, wrap }
  const properties = { ...(schema.properties as Json), outcome: inlineSchema(outcomeSchema, 'output') }
  return { schema: { ...schema, properties, required: [...((schema.required as string[]) ?? []), 'outcome'] }, wrap }
}

/** Sorts what the agent said into the parts of a request. What the API checks is left to it. */
function split(
  input: Readonly<Record<string, unknown>>,
  fields: ReadonlyMap<string, Field>,
  own: Readonly<Record<string, Json>>,
): { waitSeconds: number; from: number; given: Given } {
  const given: Given = {}
  const problems: { where: string; problem: string; expected?: string }[] = []
  for (const [name, value] of Object.entries(input)) {
    const field = fields.get(name)
    if (field?.whole) given.body = value
    else if (field) given[field.part] = { ...(given[field.part] as Record<string, unknown> | undefined), [name]: value }
    else if (!Object.hasOwn(own, name))
      problems.push({
        where: name,
        problem: 'is not a field of this tool',
        expected: [...fields.keys(), ...Object.keys(own)].join(', '),
      })
  }
  for (const [name, { part, required }] of fields)
    if (required && (input[name] === undefined || (part === 'params' && !isPathText(input[name]))))
      problems.push({
        where: name,
        problem: input[name] === undefined ? 'is missing' : 'is not a text that a path can hold',
      })
  const waitSeconds = own.waitSeconds
    ? wholeNumber(input, 'waitSeconds', waitSecondsDefault, waitSecondsMax, problems)
    : 0
  const from = own.from ? wholeNumber(input, 'from', 0, Number.MAX_SAFE_INTEGER, problems) : 0
  if (problems.length > 0) throw new AppError('invalid_request', 'The input does not fit', { details: problems })
  if (given.body === undefined && [...fields.values()].some(({ part }) => part === 'body')) given.body = {}
  return { waitSeconds, from, given }
}

/** A path with `.` for a part would be another path. */
const isPathText = (value: unknown): boolean => typeof value === 'string' && !['', '.', '..'].includes(value)

function wholeNumber(
  input: Readonly<Record<string, unknown>>,
  name: string,
  otherwise: number,
  most: number,
  problems: { where: string; problem: string; expected?: string }[],
): number {
  const value = input[name] ?? otherwise
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value
  problems.push({ where: name, problem: 'does not fit', expected: `a whole number from 0 to ${most}` })
  return otherwise
}

/** Calls the operation of this name. Its server checks what it is given; nothing of it is known here. */
const send = (api: Api, name: OperationName, given: Given, options: CallOptions): Promise<unknown> =>
  (api[name] as (given: Given, options: CallOptions) => Promise<unknown>)(given, options)
