import { AppError } from '../../contract/errors.ts'
import type { SftpAnswer, SftpNews, SftpProof } from '../../contract/node-sftp.ts'
import type { Access } from '../access/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { Database } from '../db/index.ts'
import { nodeOfServer } from './store.ts'
import { readUserName } from './user-name.ts'

export type Question = Exclude<Extract<SftpNews, { id: string }>, { type: 'resume' }>

/** Who it is, and for which server; or what the node is to do instead. */
export type SignedIn = { userId: string; serverId: string; proof: SftpProof } | { answer: SftpAnswer }

export interface SignInWorld {
  db: Database
  access: Pick<Access, 'identifyKey'>
  accounts: Accounts
}

/** The beginning of every API key: such a password is meant to be one. */
const keyPrefix = 'phk_'

/** What wrong passwords, unknown accounts and servers of other nodes are all told. */
const wrong = { answer: { outcome: 'refused', message: 'The user name, the password or the key is wrong' } } as const

/**
 * Answers who signs in at a node. Nobody learns more than that something was wrong, and all of it takes as long. A node is told
 * nothing about passwords of people for servers that it does not have.
 */
export async function signIn(world: SignInWorld, nodeId: string, question: Question): Promise<SignedIn> {
  const name = readUserName(question.user)
  const here = name !== null && (await nodeOfServer(world.db.kysely, name.serverId)) === nodeId
  try {
    switch (question.type) {
      case 'password':
        return await byPassword(world, here ? name : null, question)
      case 'code':
        return here ? await byCode(world, name, question) : wrong
      case 'key':
        return here ? await byKey(world, name, question) : wrong
    }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'rate_limited')
      return { answer: { outcome: 'later', message: error.message, seconds: error.retryAfterSeconds ?? 60 } }
    return wrong
  }
}

type Name = NonNullable<ReturnType<typeof readUserName>>

async function byPassword(
  { access, accounts }: SignInWorld,
  name: Name | null,
  { password, address }: Extract<Question, { type: 'password' }>,
): Promise<SignedIn> {
  if (name && password.startsWith(keyPrefix)) {
    const right = await accounts.attempts.begin(address, null)
    const key = await access.identifyKey(password)
    const user = await accounts.byEmail(name.email)
    if (!key || key.suspended || key.userId !== user?.id) return wrong
    right()
    return { userId: key.userId, serverId: name.serverId, proof: { kind: 'token', value: key.tokenId } }
  }
  // Without a name it is nobody's password, which takes as long to find out.
  const from = { address, userAgent: 'SFTP' }
  const { userId, next } = await accounts.signIn(name?.email ?? '', password, from, 'sftpSignIn')
  if (next) return { answer: { outcome: 'code', challenge: next.challenge } }
  return name ? provenByPassword(accounts, userId, name.serverId) : wrong
}

async function byCode(
  { accounts }: SignInWorld,
  name: Name,
  { challenge, code, address }: Extract<Question, { type: 'code' }>,
): Promise<SignedIn> {
  const userId = await accounts.secondStep(challenge, code, { address, userAgent: 'SFTP' })
  const user = await accounts.byEmail(name.email)
  return user?.id === userId ? provenByPassword(accounts, userId, name.serverId) : wrong
}

async function provenByPassword(accounts: Accounts, userId: string, serverId: string): Promise<SignedIn> {
  const mark = await accounts.proofMark(userId)
  return mark === null ? wrong : { userId, serverId, proof: { kind: 'password', value: mark } }
}

async function byKey(
  { accounts }: SignInWorld,
  name: Name,
  { key, proven }: Extract<Question, { type: 'key' }>,
): Promise<SignedIn> {
  const user = await accounts.byEmail(name.email)
  const known = user && (await accounts.sshKeys.find(user.id, Buffer.from(key, 'base64')))
  if (!known) return wrong
  if (!proven) return { answer: { outcome: 'sign' } }
  await accounts.sshKeys.touch(known.id)
  return { userId: user.id, serverId: name.serverId, proof: { kind: 'key', value: known.id } }
}
