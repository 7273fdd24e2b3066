import type { IncomingHttpHeaders } from 'node:http'
import type {
  Contexts,
  Declared,
  Handlers,
  Operation,
  Operations,
  Socket,
  SocketHandlers,
  Sockets,
  Transfer,
  TransferHandlers,
  Transfers,
} from '../contract/operation.ts'

/** What a gate sees of a request. */
export interface GateRequest {
  headers: IncomingHttpHeaders
  /** Parsed; as sent when they do not fit the schema, in which case no handler runs whatever the gate says. */
  params: Record<string, string>
  /** As sent. */
  query: unknown
  /** Parsed, but only for an operation whose access depends on a field of it; otherwise nothing has been read yet. */
  body: unknown
  /** The caller's address, as the socket (or a trusted proxy) gives it. */
  address: string
  method: string
  setHeader(name: string, value: string): void
}

/** Decides who comes in. */
export interface Gate<C extends Contexts> {
  /**
   * Returns what the operation's access proves to the handler, or throws an `AppError`. It is asked for every request to a
   * known route, also for one that will be refused as invalid, so rate limits count everything and their headers are on every reply.
   */
  admit(operation: Declared, request: GateRequest): Promise<C[keyof Contexts]> | C[keyof Contexts]
}

/** One group of operations with its handlers; the types have been checked where it was made. */
export interface ApiPart {
  readonly operations: readonly { readonly operation: Operation; readonly handle: (input: never) => unknown }[]
  readonly sockets: readonly { readonly socket: Socket; readonly handle: (input: never) => unknown }[]
  readonly transfers: readonly { readonly transfer: Transfer; readonly handle: (input: never) => unknown }[]
}

/** Pairs operations with their handlers: forget one, or return another shape, and it does not compile. */
export function part<Ops extends Operations, C extends Contexts>(operations: Ops, handlers: Handlers<Ops, C>): ApiPart {
  return {
    operations: Object.entries(operations).map(([name, operation]) => ({
      operation,
      handle: handlers[name as keyof Ops],
    })),
    sockets: [],
    transfers: [],
  }
}

/** The same for WebSockets. */
export function socketPart<S extends Sockets, C extends Contexts>(sockets: S, handlers: SocketHandlers<S, C>): ApiPart {
  return {
    operations: [],
    sockets: Object.entries(sockets).map(([name, socket]) => ({ socket, handle: handlers[name as keyof S] })),
    transfers: [],
  }
}

/** The same for transfers of raw bytes. */
export function transferPart<T extends Transfers, C extends Contexts>(
  transfers: T,
  handlers: TransferHandlers<T, C>,
): ApiPart {
  return {
    operations: [],
    sockets: [],
    transfers: Object.entries(transfers).map(([name, transfer]) => ({
      transfer,
      handle: handlers[name as keyof T],
    })),
  }
}
