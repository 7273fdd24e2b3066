import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { Tool } from '../../src/mcp/index.ts'

/** The conformance suite's tools that ask their client for something in the midst of a call, which no tool of the product does. */
export const inputFixtures = (toolsChanged: () => void): Tool[] => [
  asking('test_input_required_result_elicitation', ({ mcpReq }) => {
    const name = answered(mcpReq.inputResponses, 'user_name', 'name')
    return name === undefined ? { user_name: form('What is your name?', 'name') } : `Hello, ${name}!`
  }),
  asking('test_input_required_result_sampling', ({ mcpReq }) => {
    const response = inputResponse(mcpReq.inputResponses, 'capital_question')
    return response.kind === 'sampling'
      ? JSON.stringify(response.result.content)
      : { capital_question: sampling('What is the capital of France?') }
  }),
  asking('test_input_required_result_list_roots', ({ mcpReq }) => {
    const response = inputResponse(mcpReq.inputResponses, 'client_roots')
    return response.kind === 'roots' ? JSON.stringify(response.roots) : { client_roots: roots }
  }),
  asking(
    'test_input_required_result_request_state',
    ({ mcpReq }) => {
      const ok = answered(mcpReq.inputResponses, 'confirm', 'ok')
      return ok === undefined ? { confirm: form('Please confirm', 'ok', 'boolean') } : 'state-ok'
    },
    true,
  ),
  asking(
    'test_input_required_result_multiple_inputs',
    ({ mcpReq: { inputResponses: given } }) => {
      const all = ['user_name', 'greeting', 'client_roots'].every((key) => inputResponse(given, key).kind !== 'missing')
      return all
        ? JSON.stringify(given)
        : {
            user_name: form('What is your name?', 'name'),
            greeting: sampling('Generate a greeting'),
            client_roots: roots,
          }
    },
    true,
  ),
  asking(
    'test_input_required_result_multi_round',
    ({ mcpReq: { inputResponses: given } }) => {
      const color = answered(given, 'step2', 'color')
      if (color !== undefined) return `You like ${color}`
      return answered(given, 'step1', 'name') === undefined
        ? { step1: form('Step 1: What is your name?', 'name') }
        : { step2: form('Step 2: What is your favorite color?', 'color') }
    },
    true,
  ),
  asking(
    'test_input_required_result_tampered_state',
    ({ mcpReq }) =>
      answered(mcpReq.inputResponses, 'confirm', 'ok') === undefined
        ? { confirm: form('Please confirm', 'ok', 'boolean') }
        : 'state-ok',
    true,
  ),
  asking('test_input_required_result_capabilities', ({ mcpReq }) => {
    const { elicitation, sampling: samples } = capabilitiesOf(mcpReq.envelope)
    return {
      ...(samples ? { question: sampling('What is the capital of France?') } : {}),
      ...(elicitation ? { user_name: form('What is your name?', 'name') } : {}),
    }
  }),
  asking('test_streaming_elicitation', () => ({ user_name: form('What is your name?', 'name') })),
  asking('test_missing_capability', ({ mcpReq }) => {
    if (capabilitiesOf(mcpReq.envelope).sampling) return 'It can sample'
    throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } })
  }),
  asking('test_logging_tool', () => 'Nobody asked for a log'),
  asking('test_trigger_tool_change', () => {
    toolsChanged()
    return 'Told'
  }),
]

type Requests = NonNullable<InputRequiredResult['inputRequests']>

/** A tool that answers with a text, or asks for these first; `hasState` carries what it remembers, signed, through the client. */
function asking(name: string, run: (context: ServerContext) => string | Requests, hasState = false): Tool {
  return {
    definition: {
      name,
      description: `The conformance suite’s ${name}`,
      inputSchema: { type: 'object', properties: {} },
    },
    access: 'public',
    async run(_, { context }) {
      const state = context.mcpReq.requestState<string>()
      if (hasState && state !== undefined && !isSigned(state))
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'The state was changed on its way')
      const answer = run(context)
      if (typeof answer === 'string') return { content: [{ type: 'text', text: answer }] }
      return inputRequired({ inputRequests: answer, ...(hasState ? { requestState: signed() } : {}) })
    },
  }
}

export const form = (message: string, field: string, type = 'string'): Requests[string] => ({
  method: 'elicitation/create',
  params: {
    mode: 'form',
    message,
    // The suite's own schema.
    requestedSchema: { type: 'object', properties: { [field]: { type } }, required: [field] } as never,
  },
})

const sampling = (text: string): Requests[string] => ({
  method: 'sampling/createMessage',
  params: { messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens: 100 },
})

const roots: Requests[string] = { method: 'roots/list', params: {} }

/** What the user filled in, where they did. */
export function answered(responses: Record<string, unknown> | undefined, key: string, field: string): unknown {
  const response = inputResponse(responses, key)
  return response.kind === 'elicit' && response.action === 'accept' ? response.content?.[field] : undefined
}

/** What the client can be asked for, as it says of itself. */
const capabilitiesOf = (envelope: ServerContext['mcpReq']['envelope']): { elicitation?: unknown; sampling?: unknown } =>
  Reflect.get(envelope ?? {}, CLIENT_CAPABILITIES_META_KEY) ?? {}

const secret = randomBytes(32)
const sign = (nonce: string): string => createHmac('sha256', secret).update(nonce).digest('hex')

function signed(): string {
  const nonce = randomBytes(8).toString('hex')
  return `${nonce}.${sign(nonce)}`
}

function isSigned(state: string): boolean {
  const [nonce = '', signature = ''] = state.split('.')
  const expected = Buffer.from(sign(nonce))
  const given = Buffer.from(signature)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
