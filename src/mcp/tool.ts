import type {
  CallToolResult,
  InputRequiredResult,
  ServerContext,
  Tool as ToolDefinition,
} from '@modelcontextprotocol/server'
import type { Client } from '../client/index.ts'
import type { publicOperations } from '../contract/api/index.ts'
import type { Access } from '../contract/operation.ts'

/** The API as tools use it: always with the key of whoever calls the tool. */
export type Api = Client<typeof publicOperations>

/** The parts of a request, as the client takes them. */
export interface Given {
  params?: Record<string, unknown>
  query?: Record<string, unknown>
  body?: unknown
}

/** How far a call has come. */
export interface Progress {
  /** Grows with each report. */
  done: number
  total?: number
  message: string
}

/** What a tool gets of the call that runs it. */
export interface ToolCall {
  readonly api: Api
  /** Aborted when the client cancels the call or goes away, and when its key ends. */
  readonly signal: AbortSignal
  /** Tells the client how far it is, where it has asked for that. */
  progress(report: Progress): void
  /** The protocol's own view of the call. */
  readonly context: ServerContext
}

/** What a tool answers. */
export interface ToolAnswer {
  /** As the tool's output schema describes it. */
  data: Record<string, unknown>
  /** What to know about it, in a sentence or two. */
  note?: string | undefined
}

/** Something that agents can do. */
export interface Tool {
  readonly definition: ToolDefinition
  /** Who is shown it. */
  readonly access: Access
  /** Whose words its answers hold, where strangers write them. */
  readonly strangers?: string | undefined
  /** Its lists have their newest entries last. */
  readonly newestLast?: boolean | undefined
  /** What it throws is told to the agent as the tool's error, if it is fit to be shown. */
  run(
    input: Readonly<Record<string, unknown>>,
    call: ToolCall,
  ): Promise<ToolAnswer | CallToolResult | InputRequiredResult>
}
