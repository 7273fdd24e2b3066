import type { z } from 'zod'
import type { ErrorCode } from './errors.ts'
import type { ServerPermission, TicketPurpose, WorkspacePermission } from './permissions.ts'

/**
 * Which of the two API documents an operation belongs to. It decides the shape of replies and errors: `panel` wraps them in
 * `{success, data}`, `control` sends them bare. `internal` operations run over a link between two processes of ours, or belong
 * to a protocol that others have published; they are in no public document.
 */
export type Family = 'panel' | 'control' | 'internal'

/**
 * Who may call an operation, checked before its handler runs.
 * - `public`: anybody. `account`: any person, by session or key. `session`: any person, by session alone:
 *   what a key that leaked must not do. `instance`: a person who administers the installation.
 * - `{workspace}`: a member whose role holds the permission, or a key of the workspace.
 * - `{server}`: somebody who holds the permission on the server that `params.serverId` names. `visible` needs no more than
 *   access to it. A record chooses the permission by the value of one body field.
 * - `{ticket}`: whoever holds a signed, short-lived ticket of exactly this purpose for the server that `params.serverId` names,
 *   for as long as the person it was made for keeps the permission.
 * - `peer`: the process at the other end of the link, known by its credential.
 */
export type Access =
  | 'public'
  | 'account'
  | 'session'
  | 'instance'
  | 'peer'
  | { readonly workspace: WorkspacePermission }
  | { readonly server: ServerPermission | 'visible' }
  | { readonly ticket: TicketPurpose }
  | { readonly server: { readonly field: string; readonly of: Readonly<Record<string, ServerPermission>> } }

/**
 * An operation as a tool for agents: programs that speak the Model Context Protocol. Operations without it are none. Everything else that
 * a tool has (title, description, schemas, who sees it) follows from the operation.
 */
export interface AgentTool {
  /** `create_backup`: a verb and what it is done to. Agents remember it: it stays. */
  readonly tool: string
  /** It takes away or overwrites what was there. A DELETE does so anyway. */
  readonly destroys?: true
  /** Once more changes nothing. True of GET, PUT and DELETE anyway. */
  readonly repeatable?: true
  /** It reaches things outside of the installation. */
  readonly outside?: true
  /** Whose words the reply holds, where strangers write them: "what the game printed". Agents are told that it is data. */
  readonly strangers?: string
  /** The field of the reply that is a long text: agents read it in parts. */
  readonly longText?: string
  /** Lists of the reply have their newest entries last: those stay where a reply is too long for an agent. */
  readonly newestLast?: true
}

type Schema = z.ZodType
type FieldSchema = z.ZodObject

interface OperationBase {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: `/${string}`
  readonly family: Family
  /** The feature it belongs to: the tag in the OpenAPI document. */
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly access: Access
  readonly params?: FieldSchema
  readonly query?: FieldSchema
  readonly body?: Schema
  /** Fields of the body, as paths (`content`), whose text becomes bytes: they may hold NUL, which no other text may. */
  readonly rawText?: readonly string[]
  /** A GET that is an act nonetheless, so that the log of activity has it. Everything else than a GET is one anyway. */
  readonly recorded?: true
  /** How agents are offered it; left out where they are not. */
  readonly mcp?: AgentTool
  /** Every code this operation can answer beyond those that each operation can: see `commonErrors`. */
  readonly errors: readonly ErrorCode[]
}

/** A request with one reply. `reply` is the data itself; the family adds its wrapping. */
export interface Operation extends OperationBase {
  /** The largest body in bytes, where what the server takes otherwise is too little. */
  readonly bodyBytesMax?: number
  readonly reply: Schema
}

/** A WebSocket: after the upgrade the server sends JSON messages of `sends`, the client those of `accepts`. */
export interface Socket extends OperationBase {
  readonly method: 'GET'
  readonly sends: Schema
  readonly accepts: Schema
}

/**
 * Raw bytes to the server, streamed as the handler takes them, whatever their size; the reply is JSON as that of an
 * operation. `takes` lists the media types, the first being the plain one; the handler reads others by itself.
 */
export interface Upload extends OperationBase {
  readonly method: 'POST' | 'PUT'
  readonly takes: readonly [string, ...string[]]
  readonly body?: never
  readonly reply: Schema
}

/** Raw bytes from the server, streamed as the caller takes them. `gives` is the media type, or what it usually is. A refusal is JSON. */
export interface Download extends OperationBase {
  readonly method: 'GET'
  readonly gives: string
  readonly body?: never
}

export type Transfer = Upload | Download
/** Anything that is declared. */
export type Declared = Operation | Socket | Transfer

export type Operations = Readonly<Record<string, Operation>>
export type Sockets = Readonly<Record<string, Socket>>
export type Transfers = Readonly<Record<string, Transfer>>

/** Declares one operation. It changes nothing; it is where the compiler checks the declaration and keeps its exact types. */
export const operation = <const O extends Operation>(declaration: O): O => declaration

/** Declares one WebSocket. */
export const socket = <const S extends Socket>(declaration: S): S => declaration

/** Declares one transfer of raw bytes. */
export const transfer = <const T extends Transfer>(declaration: T): T => declaration

type OutputOf<S> = S extends z.ZodType ? z.output<S> : undefined
type InputOf<S> = S extends z.ZodType ? z.input<S> : undefined
type Field<O, K extends string> = K extends keyof O ? O[K] : undefined

/** What a handler gets of the request, parsed. */
export interface Parsed<O> {
  params: OutputOf<Field<O, 'params'>>
  query: OutputOf<Field<O, 'query'>>
  body: OutputOf<Field<O, 'body'>>
}

/** What a handler must return: checked by the compiler, written by a serialiser made from the schema. */
export type Reply<O extends Operation> = z.input<O['reply']>

/** What a client gets back. */
export type ReplyData<O extends Operation> = z.output<O['reply']>

type Given<K extends string, V> = [V] extends [undefined]
  ? unknown
  : undefined extends V
    ? { [P in K]?: V }
    : { [P in K]: V }

/** Where every field may be left out, so may the whole. */
type OptionalWhole<V> = V extends object ? (Record<never, never> extends V ? V | undefined : V) : V

/** What a client passes: exactly the parts that the operation declares. */
export type Arguments<O> = Given<'params', InputOf<Field<O, 'params'>>> &
  Given<'query', OptionalWhole<InputOf<Field<O, 'query'>>>> &
  Given<'body', InputOf<Field<O, 'body'>>>

/** What each kind of access proves to the handler; the server that binds the operations chooses the types. */
export interface Contexts {
  public: object
  account: object
  session: object
  instance: object
  peer: object
  workspace: object
  server: object
  ticket: object
}

export type AccessKind<A extends Access> = A extends string
  ? A
  : A extends { readonly workspace: WorkspacePermission }
    ? 'workspace'
    : A extends { readonly ticket: TicketPurpose }
      ? 'ticket'
      : 'server'

export type ContextOf<A extends Access, C extends Contexts> = C[AccessKind<A> & keyof C]

/** Facts of the request itself. */
export interface RequestFacts {
  id: string
  /** The caller's address, as the socket (or a trusted proxy) gives it. */
  address: string
  userAgent: string | undefined
  /** The header as sent, names in lower case; undefined where there is none. */
  header(name: string): string | undefined
  /** Aborted when the caller goes away. */
  signal: AbortSignal
  /** Sets a cookie or another header on the reply. */
  setHeader(name: string, value: string): void
}

/** One function per operation: forget one, or return another shape, and it does not compile. */
export type Handlers<Ops extends Operations, C extends Contexts> = {
  [K in keyof Ops]: (
    input: ContextOf<Ops[K]['access'], C> & Parsed<Ops[K]> & { request: RequestFacts },
  ) => Reply<Ops[K]> | Promise<Reply<Ops[K]>>
}

/** The live side of a WebSocket as its handler sees it. */
export interface SocketChannel<Sends, Accepts> {
  /** A message is written out once, however many connections it is sent on: it is not to be changed afterwards. */
  send(message: Sends): void
  /** Bytes not yet taken by the network: a slow reader is dropped by the handler, not buffered for ever. */
  readonly bufferedBytes: number
  onMessage(listener: (message: Accepts) => void): void
  /** Aborted when either side has closed. */
  readonly signal: AbortSignal
  /** Idempotent. `reason` is for the person at the other end, `cause` (`done` where it is left out) for their program. */
  close(reason: string, cause?: CloseCause): void
}

/**
 * Why the server ends a live connection. `done`: nothing more is to come. `refused`: the caller may not have it, now or any
 * more. `overloaded`: they read too slowly; connecting again is welcome. `restarting`: the same, because the
 * server stops. `failed`: a fault of the server's.
 */
export type CloseCause = 'done' | 'refused' | 'overloaded' | 'restarting' | 'failed'

export type SocketHandlers<S extends Sockets, C extends Contexts> = {
  [K in keyof S]: (
    input: ContextOf<S[K]['access'], C> &
      Parsed<S[K]> & {
        request: RequestFacts
        channel: SocketChannel<z.input<S[K]['sends']>, z.output<S[K]['accepts']>>
      },
  ) => void | Promise<void>
}

/** What a download's handler returns, before the first byte is sent; what it throws until then is answered as JSON. */
export interface Outgoing {
  /** 200 unless given. */
  status?: 200 | 206 | 304 | 416
  /** `content-type`, `content-length`, `etag` and the like; the common headers of the API are set anyway. */
  headers: Readonly<Record<string, string>>
  /**
   * Read as fast as the caller takes it, and closed (`return`, or `destroy` of a stream) when the caller leaves. A piece of what
   * is no stream is done with when the next one is asked for: its bytes may change then. Null: no body.
   */
  content: AsyncIterable<Uint8Array> | null
}

/** One function per transfer. `content` of an upload is to be read to its end; it throws when the caller breaks off. */
export type TransferHandlers<T extends Transfers, C extends Contexts> = {
  [K in keyof T]: T[K] extends Upload
    ? (
        input: ContextOf<T[K]['access'], C> &
          Parsed<T[K]> & { request: RequestFacts; content: AsyncIterable<Uint8Array> },
      ) => z.input<T[K]['reply']> | Promise<z.input<T[K]['reply']>>
    : (input: ContextOf<T[K]['access'], C> & Parsed<T[K]> & { request: RequestFacts }) => Outgoing | Promise<Outgoing>
}

/** Every operation may answer these without declaring them: broken input, too many requests, and our own faults. */
export const commonErrors = [
  'invalid_request',
  'too_large',
  'rate_limited',
  'internal',
] as const satisfies readonly ErrorCode[]

/** The codes that `access` itself can answer. */
export function accessErrors(access: Access): readonly ErrorCode[] {
  if (access === 'public' || access === 'peer') return []
  if (access === 'account') return ['unauthorized']
  if (typeof access === 'object' && 'ticket' in access) return ['unauthorized', 'forbidden']
  if (typeof access === 'object' && 'server' in access)
    return access.server === 'visible' ? ['unauthorized', 'not_found'] : ['unauthorized', 'forbidden', 'not_found']
  return ['unauthorized', 'forbidden']
}
