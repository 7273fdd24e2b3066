import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import {
  type CallToolResult,
  completable,
  inputRequired,
  type McpServer,
  ResourceTemplate,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { inlineSchema } from '../../src/contract/json-schemas.ts'
import { createToolServer, McpEndpoint, type Tool, type ToolCall, type Visitor } from '../../src/mcp/index.ts'
import { toRequest, writeResponse } from '../../src/panel/mcp/exchange.ts'
import { isForeignOrigin } from '../../src/panel/mcp/origin.ts'
import { answered, form, inputFixtures } from './input-fixtures.ts'

/**
 * The tools, prompts and resources that the conformance suite asks for by name, served by the product's own endpoint, tool server and HTTP
 * bridge. Everything below is the suite's own wording; no part of it is in the product.
 */
export async function startConformanceServer(): Promise<AsyncDisposable & { url: string }> {
  const endpoint: McpEndpoint<Visitor> = new McpEndpoint<Visitor>({
    serve: () => withFixtures([...tools, ...inputFixtures(() => endpoint.toolsChanged('user'))]),
    failed: () => undefined,
  })
  const server = createServer(async (request, response) => {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    if (isForeignOrigin(request.headers, null)) {
      response.writeHead(403).end('{}')
      return
    }
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    const message = body === '' ? undefined : JSON.parse(body)
    await endpoint.handle(toRequest(request, gone.signal), message, { keyId: 'key', userId: 'user' }, (answer) =>
      writeResponse(answer, response, gone.signal),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async [Symbol.asyncDispose]() {
      await endpoint[Symbol.asyncDispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One red pixel, and the shortest sound. */
const image = {
  type: 'image',
  mimeType: 'image/png',
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==',
} as const
const audio = {
  type: 'audio',
  mimeType: 'audio/wav',
  data: 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=',
} as const
const text = (words: string): CallToolResult => ({ content: [{ type: 'text', text: words }] })

const fixture = (
  name: string,
  run: (input: Readonly<Record<string, unknown>>, call: ToolCall) => Promise<CallToolResult>,
  input: z.ZodType = z.object({}),
  raw?: Record<string, unknown>,
): Tool => ({
  definition: {
    name,
    description: `The conformance suite’s ${name}`,
    inputSchema: (raw ?? inlineSchema(input)) as Tool['definition']['inputSchema'],
  },
  access: 'public',
  run,
})

const askUser = async (call: ToolCall, message: string, requestedSchema: Record<string, unknown>) => {
  const { action, content } = await call.context.mcpReq.send({
    method: 'elicitation/create',
    params: { message, requestedSchema },
  })
  return `action=${action}, content=${JSON.stringify(content)}`
}

const titled = (values: readonly string[], titles: readonly string[]) =>
  values.map((value, index) => ({ const: value, title: titles[index] }))

const tools: Tool[] = [
  fixture('test_simple_text', async () => text('This is a simple text response for testing.')),
  fixture('test_image_content', async () => ({ content: [image] })),
  fixture('test_audio_content', async () => ({ content: [audio] })),
  fixture('test_embedded_resource', async () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  })),
  fixture('test_multiple_content_types', async () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: '{"test":"data","value":123}',
        },
      },
    ],
  })),
  fixture('test_tool_with_logging', async (_, { context }) => {
    for (const words of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await context.mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data: words } })
      await setTimeout(50)
    }
    return text('Logged')
  }),
  fixture('test_error_handling', async () => ({
    ...text('This tool intentionally returns an error for testing'),
    isError: true,
  })),
  fixture('test_tool_with_progress', async (_, { progress }) => {
    for (const done of [0, 50, 100]) {
      progress({ done, total: 100, message: `${done} of 100` })
      await setTimeout(50)
    }
    return text('Done')
  }),
  fixture(
    'test_sampling',
    async ({ prompt }, { context }) => {
      const { content } = await context.mcpReq.send({
        method: 'sampling/createMessage',
        params: { messages: [{ role: 'user', content: { type: 'text', text: String(prompt) } }], maxTokens: 100 },
      })
      return text(`LLM response: ${JSON.stringify(content)}`)
    },
    z.object({ prompt: z.string() }),
  ),
  fixture(
    'test_elicitation',
    async ({ message }, call) =>
      text(
        `User response: ${await askUser(call, String(message), {
          type: 'object',
          properties: { username: { type: 'string' }, email: { type: 'string' } },
          required: ['username', 'email'],
        })}`,
      ),
    z.object({ message: z.string() }),
  ),
  fixture('test_elicitation_sep1034_defaults', async (_, call) =>
    text(
      `Elicitation completed: ${await askUser(call, 'Check the defaults', {
        type: 'object',
        properties: {
          name: { type: 'string', default: 'John Doe' },
          age: { type: 'integer', default: 30 },
          score: { type: 'number', default: 95.5 },
          status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', default: true },
        },
      })}`,
    ),
  ),
  fixture('test_elicitation_sep1330_enums', async (_, call) =>
    text(
      `Elicitation completed: ${await askUser(call, 'Choose', {
        type: 'object',
        properties: {
          untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
          titledSingle: {
            type: 'string',
            oneOf: titled(['value1', 'value2', 'value3'], ['First Option', 'Second Option', 'Third Option']),
          },
          legacyEnum: {
            type: 'string',
            enum: ['opt1', 'opt2', 'opt3'],
            enumNames: ['Option One', 'Option Two', 'Option Three'],
          },
          untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
          titledMulti: {
            type: 'array',
            items: { anyOf: titled(['value1', 'value2', 'value3'], ['First Choice', 'Second Choice', 'Third Choice']) },
          },
        },
      })}`,
    ),
  ),
  fixture('test_reconnection', async (_, { context }) => {
    context.http && 'closeSSE' in context.http && (context.http.closeSSE as (() => void) | undefined)?.()
    await setTimeout(100)
    return text('Reconnection test completed successfully')
  }),
  fixture('json_schema_2020_12_tool', async () => text('fits'), z.object({}), {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: {
        $anchor: 'addressDef',
        type: 'object',
        properties: { street: { type: 'string' }, city: { type: 'string' } },
      },
    },
    properties: {
      name: { type: 'string' },
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: { type: 'string' },
      email: { type: 'string' },
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  }),
]

function withFixtures(tools: readonly Tool[]): McpServer {
  const mcp = createToolServer({
    version: '1',
    tools,
    // What these tools do asks nothing of an API; whoever lists them may see all.
    apiOf: () =>
      ({
        workspace: async () => ({ role: 'owner' }),
        account: async () => ({ instanceAdmin: true }),
      }) as unknown as ToolCall['api'],
    instructions: 'For the conformance suite.',
    failed: () => undefined,
  })
  mcp.server.registerCapabilities({ logging: {}, completions: {}, resources: { subscribe: true } })
  mcp.server.setRequestHandler('resources/subscribe', async () => ({}))
  mcp.server.setRequestHandler('resources/unsubscribe', async () => ({}))
  mcp.registerResource(
    'static-text',
    'test://static-text',
    { description: 'A text', mimeType: 'text/plain' },
    async ({ href }) => ({
      contents: [{ uri: href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
    }),
  )
  mcp.registerResource(
    'static-binary',
    'test://static-binary',
    { description: 'An image', mimeType: 'image/png' },
    async ({ href }) => ({ contents: [{ uri: href, mimeType: 'image/png', blob: image.data }] }),
  )
  mcp.registerResource(
    'watched',
    'test://watched-resource',
    { description: 'A watched text', mimeType: 'text/plain' },
    async ({ href }) => ({ contents: [{ uri: href, mimeType: 'text/plain', text: 'watched' }] }),
  )
  mcp.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description: 'By id', mimeType: 'application/json' },
    async ({ href }, { id }) => ({
      contents: [
        {
          uri: href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  )
  const said = (words: string) => ({ role: 'user' as const, content: { type: 'text' as const, text: words } })
  mcp.registerPrompt('test_simple_prompt', { description: 'Simple' }, () => ({
    messages: [said('This is a simple prompt for testing.')],
  }))
  mcp.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'With arguments',
      argsSchema: z.object({
        arg1: completable(z.string(), (value) => ['paris', 'park', 'party'].filter((one) => one.startsWith(value))),
        arg2: z.string(),
      }),
    },
    ({ arg1, arg2 }) => ({ messages: [said(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)] }),
  )
  mcp.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'With a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'resource',
            resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' },
          },
        },
        said('Please process the embedded resource above.'),
      ],
    }),
  )
  mcp.registerPrompt('test_prompt_with_image', { description: 'With an image' }, () => ({
    messages: [{ role: 'user', content: image }, said('Please analyze the image above.')],
  }))
  mcp.registerPrompt('test_input_required_result_prompt', { description: 'That asks first' }, ({ mcpReq }) => {
    const context = answered(mcpReq.inputResponses, 'user_context', 'context')
    return context === undefined
      ? inputRequired({ inputRequests: { user_context: form('What context should the prompt use?', 'context') } })
      : { messages: [said(`With ${context}`)] }
  })
  return mcp
}
