import { ApiError, type Client, createClient } from '../../client/index.ts'
import { AppError, type ErrorCode, notFound } from '../../contract/errors.ts'
import { nodeFileOperations } from '../../contract/node-files.ts'
import { linkSend } from '../../http/index.ts'
import type { Database, ServerRow } from '../db/index.ts'
import { answerOf, type LiveNode, type Nodes, nodeById, plainWords } from '../nodes/index.ts'
import { longAnswerMs } from './limits.ts'

/** Clients stay with the link that they were made for. */
const clients = new WeakMap<LiveNode, Client<typeof nodeFileOperations>>()

/** The node that has a server's files, or `conflict` while it is away. */
export async function nodeOf(
  { db, nodes }: { db: Database; nodes: Nodes },
  row: Pick<ServerRow, 'id' | 'node_id'>,
): Promise<{ node: LiveNode; client: Client<typeof nodeFileOperations> }> {
  const node = nodes.online(row.node_id) ?? nodes.need(await known(db, row))
  const client =
    clients.get(node) ??
    createClient(nodeFileOperations, { baseUrl: '', send: linkSend(() => node.link, longAnswerMs), checkReplies: true })
  clients.set(node, client)
  return { node, client }
}

async function known(db: Database, row: Pick<ServerRow, 'id' | 'node_id'>): Promise<{ id: string; name: string }> {
  const node = await nodeById(db.kysely, row.node_id)
  if (!node) throw notFound(`Server ${row.id}`)
  return node
}

/** What a node may refuse about a file in its own words. */
const passed: readonly string[] = ['forbidden', 'not_found', 'too_large'] satisfies ErrorCode[]

/** Awaits one call about files: what the node refuses stays what it is, anything else is as for every call to a node. */
export async function fileAnswer<T>(node: string, call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (error instanceof AppError) throw error
    if (error instanceof ApiError && passed.includes(error.code))
      throw new AppError(error.code as ErrorCode, plainWords(error.message), { cause: error })
    return answerOf(node, Promise.reject(error))
  }
}
