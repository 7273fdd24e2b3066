import { McpServer, ProtocolError, ProtocolErrorCode, type ServerContext } from '@modelcontextprotocol/server'
import { ApiError } from '../client/index.ts'
import { AppError, type FieldProblem } from '../contract/errors.ts'
import { present, refusal } from './answer.ts'
import { permitted } from './permitted.ts'
import type { Api, Progress, Tool, ToolCall } from './tool.ts'

export interface ToolServerOptions {
  /** Of this program. */
  version: string
  tools: readonly Tool[]
  /** The API with the key of whoever makes this call. */
  apiOf(context: ServerContext): Api
  /** Tools that are not here, and what to do instead. */
  elsewhere?: Readonly<Record<string, string>>
  /** What agents are told beside the tools. */
  instructions: string
  /** Hears of faults of ours: agents learn nothing of them. */
  failed(error: unknown, tool: string): void
}

/** A server of the protocol that offers these tools, for one session or one request. */
export function createToolServer(options: ToolServerOptions): McpServer {
  const { tools, apiOf, elsewhere = {} } = options
  const mcp = new McpServer(
    { name: 'pharos', title: 'Pharos', version: options.version },
    { instructions: options.instructions },
  )
  const { server } = mcp
  server.registerCapabilities({ tools: { listChanged: true } })
  server.setRequestHandler('tools/list', async (_request, context) => {
    const { signal } = context.mcpReq
    try {
      const isPermitted = await permitted(apiOf(context), signal)
      return { tools: tools.filter(({ access }) => isPermitted(access)).map(({ definition }) => definition) }
    } catch (error) {
      if (error instanceof ApiError) throw new ProtocolError(ProtocolErrorCode.InternalError, wordsOf(error))
      throw error
    }
  })
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const instead = Object.hasOwn(elsewhere, params.name) ? elsewhere[params.name] : undefined
    if (instead !== undefined) return refusal(instead)
    const tool = tools.find(({ definition }) => definition.name === params.name)
    if (!tool)
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no tool ${JSON.stringify(params.name)}. tools/list shows those that there are.`,
      )
    const call: ToolCall = {
      api: apiOf(context),
      signal: context.mcpReq.signal,
      progress: progressOf(context),
      context,
    }
    try {
      const answer = await tool.run(params.arguments ?? {}, call)
      return 'data' in answer ? present(tool, answer as { data: Record<string, unknown> }) : answer
    } catch (error) {
      if (context.mcpReq.signal.aborted) throw error
      if (error instanceof ApiError || error instanceof AppError) return refusal(wordsOf(error))
      if (error instanceof ProtocolError) throw error
      options.failed(error, tool.definition.name)
      return refusal('Internal error. Try again; the log of the program that serves these tools says what went wrong.')
    }
  })
  return mcp
}

/** Sends reports to a client that has asked for them. The protocol wants each to be further than the one before. */
function progressOf({ mcpReq }: ServerContext): (report: Progress) => void {
  const token = mcpReq._meta?.progressToken
  if (token === undefined) return () => undefined
  let last = Number.NEGATIVE_INFINITY
  return ({ done, total, message }) => {
    if (done <= last) return
    last = done
    const params = { progressToken: token, progress: done, message, ...(total === undefined ? {} : { total }) }
    // A client that has gone misses its reports; the call itself ends by its signal.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined)
  }
}

/** What went wrong, field by field, and what to do next. */
function wordsOf(error: ApiError | AppError): string {
  const { details = [] } = error
  const lines =
    details.length > 0
      ? ['The input does not fit:', ...details.map(problemLine)]
      : [error.code === 'invalid_request' ? withoutParts(error.message) : error.message]
  const next = nextMove(error)
  return next ? [...lines, next].join('\n') : lines.join('\n')
}

const problemLine = ({ where, problem, expected }: FieldProblem): string =>
  withoutParts(`${where} ${problem}${expected ? `; expected ${expected}` : ''}`)

/** The tool's fields are those of the path, the query and the body: which part one is in is no affair of the agent's. */
const withoutParts = (text: string): string => text.replace(/(?<=^|[ :;])(?:params|query|body)\.(?=\w)/g, '')

function nextMove(error: ApiError | AppError): string | null {
  switch (error.code) {
    case 'invalid_request':
      return 'Call it again with input that fits.'
    case 'unauthorized':
      return 'The key is no longer good: ask the person you work for to give this server another one.'
    case 'not_found':
      return 'The tools whose names begin with list_ show what there is.'
    case 'rate_limited':
      return error.retryAfterSeconds === undefined ? null : `Try again in ${error.retryAfterSeconds} seconds.`
    case 'internal':
      return error instanceof ApiError && error.requestId
        ? `The panel's log has it as request ${error.requestId}.`
        : null
    case 'unreachable':
      return 'Try again once the panel is back.'
    default:
      return null
  }
}
