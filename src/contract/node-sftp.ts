import { z } from 'zod'
import { ServerKey } from './node.ts'
import { operation, socket } from './operation.ts'
import { serverPermissions } from './permissions.ts'

/**
 * SFTP: the node speaks it and knows nobody; the panel knows everybody. The node asks over a socket that the panel keeps open,
 * the panel answers by requests, and tells each session what it may do whenever that changes.
 */

/** Random text by which one of both finds a thing again. */
const Key = z.string().regex(/^[0-9A-Za-z_-]{1,64}$/)
const Address = z.string().max(64)
/** As typed: what is in front of the last dot is an e-mail address, what follows the short id of a server. */
const UserName = z.string().max(300)

/** By what somebody is in. Whoever shows it again is still in where it is still right: no stranger can make one up. */
const Proof = z.strictObject({ kind: z.enum(['password', 'key', 'token']), value: z.string().min(1).max(128) })
export type SftpProof = z.output<typeof Proof>

/** What somebody did with files, counted over some seconds. */
export const SftpAct = z.strictObject({
  operation: z.enum([
    'sftpRead',
    'sftpWrite',
    'sftpDelete',
    'sftpRename',
    'sftpCreateFolder',
    'sftpChangeMode',
    'sftpLink',
  ]),
  /** The path, or the folder and how many. */
  subject: z.string().max(4200),
  /** The error code that it ended with; null where it was done. */
  code: z
    .string()
    .regex(/^[a-z_]{1,32}$/)
    .nullable(),
})
export type SftpAct = z.output<typeof SftpAct>

const asking = { id: Key, user: UserName, address: Address } as const

/** Node → panel. What has an `id` is answered. */
export const SftpNews = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('password'), ...asking, password: z.string().max(1024) }),
  z.strictObject({
    type: z.literal('code'),
    ...asking,
    challenge: z.string().max(1000),
    code: z.string().max(64),
  }),
  /** `proven`: its owner has signed with it. */
  z.strictObject({ type: z.literal('key'), ...asking, key: z.base64().max(8192), proven: z.boolean() }),
  /** A session that another link began. */
  z.strictObject({
    type: z.literal('resume'),
    id: Key,
    address: Address,
    server: ServerKey,
    userId: z.string().max(64),
    proof: Proof,
  }),
  z.strictObject({ type: z.literal('acts'), session: Key, acts: z.array(SftpAct).max(100) }),
  z.strictObject({ type: z.literal('closed'), session: Key }),
])
export type SftpNews = z.output<typeof SftpNews>

const Permissions = z.array(z.enum(serverPermissions))

export const SftpAnswer = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('admitted'),
    session: Key,
    server: ServerKey,
    userId: z.string(),
    proof: Proof,
    permissions: Permissions,
  }),
  /** The key is one of theirs: now they may sign. */
  z.strictObject({ outcome: z.literal('sign') }),
  /** The password is right and not enough. */
  z.strictObject({ outcome: z.literal('code'), challenge: z.string() }),
  z.strictObject({ outcome: z.literal('refused'), message: z.string() }),
  z.strictObject({ outcome: z.literal('later'), message: z.string(), seconds: z.number() }),
])
export type SftpAnswer = z.output<typeof SftpAnswer>

/** What became of a session. */
export const SftpVerdict = z.discriminatedUnion('verdict', [
  z.strictObject({ verdict: z.literal('permitted'), permissions: Permissions }),
  z.strictObject({ verdict: z.literal('ended'), reason: z.string() }),
])
export type SftpVerdict = z.output<typeof SftpVerdict>

const base = { family: 'internal', access: 'peer', tag: 'Node SFTP' } as const
const done = z.strictObject({})

export const nodeSftpOperations = {
  sftp: operation({
    ...base,
    method: 'GET',
    path: '/sftp',
    summary: 'Where SFTP is served; null where it is not',
    reply: z
      .strictObject({
        port: z.int(),
        /** What people are to be told instead of the node's own address. */
        address: z.strictObject({ host: z.string(), port: z.int() }).nullable(),
        /** Of the host key: `SHA256:…`. */
        fingerprint: z.string(),
      })
      .nullable(),
    errors: [],
  }),
  answerSftp: operation({
    ...base,
    method: 'PUT',
    path: '/sftp/questions/{question}',
    summary: 'Answer a question; false where nobody waits for it any more',
    params: z.object({ question: Key }),
    body: SftpAnswer,
    reply: z.strictObject({ taken: z.boolean() }),
    errors: [],
  }),
  judgeSftp: operation({
    ...base,
    method: 'PUT',
    path: '/sftp/sessions/{session}',
    summary: 'What a session may do from now on; it may have ended already',
    params: z.object({ session: Key }),
    body: SftpVerdict,
    reply: done,
    errors: [],
  }),
}

export const nodeSftpSockets = {
  sftpNews: socket({
    ...base,
    method: 'GET',
    path: '/sftp/news',
    summary: 'Who wants in, and what those who are in do',
    sends: SftpNews,
    accepts: z.never(),
    errors: [],
  }),
}
