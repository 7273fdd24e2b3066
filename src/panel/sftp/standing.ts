import type { SftpProof } from '../../contract/node-sftp.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import type { Access, Caller } from '../access/index.ts'
import type { Accounts } from '../accounts/index.ts'
import type { Act } from '../activity/index.ts'

/** Somebody who has proved who they are, and to which server of which node they came. */
export interface Claim {
  userId: string
  serverId: string
  nodeId: string
  proof: SftpProof
}

/** What they may do now, and as whom it is recorded. */
export interface Standing {
  permissions: readonly ServerPermission[]
  who: NonNullable<Act['who']>
  workspaceId: string
}

/** What a claim is worth at this moment; words for the person where it is worth nothing. */
export async function standingOf(
  { access, accounts }: { access: Pick<Access, 'serverAccess' | 'identifyKeyId'>; accounts: Accounts },
  { userId, serverId, nodeId, proof }: Claim,
): Promise<Standing | { refused: string }> {
  const user = await accounts.byId(userId)
  const via = user && (await viaOf(access, accounts, userId, proof))
  if (!user || !via) return { refused: 'What you signed in with is no longer valid. Sign in again.' }
  const caller: Caller = { userId, email: user.email, instanceAdmin: false, via }
  const server = await access.serverAccess(caller, serverId)
  if (!server || server.row.node_id !== nodeId) return { refused: `There is no server ${serverId} here for you.` }
  if (server.row.suspended_at !== null)
    return { refused: `${server.row.name} is suspended: ask the people who run this installation.` }
  if (!server.permissions.has('sftp.connect'))
    return { refused: `This needs sftp.connect on server ${serverId}, which you were not given. Ask its owner.` }
  return {
    permissions: [...server.permissions],
    who: {
      userId,
      email: user.email,
      via: {
        kind: proof.kind === 'token' ? 'token' : 'sftp',
        id: proof.kind === 'password' ? 'password' : proof.value,
      },
    },
    workspaceId: server.row.workspace_id,
  }
}

/** How far the claim reaches; null where it has ended. An SSH key that an API key has added reaches as far as that. */
async function viaOf(
  access: Pick<Access, 'identifyKeyId'>,
  accounts: Accounts,
  userId: string,
  proof: SftpProof,
): Promise<Caller['via'] | null> {
  const everywhere = { kind: 'session', sessionId: '' } as const
  if (proof.kind === 'password') return (await accounts.proofMark(userId)) === proof.value ? everywhere : null
  let tokenId: string | null = proof.value
  if (proof.kind === 'key') {
    const key = await accounts.sshKeys.byId(userId, proof.value)
    if (!key) return null
    tokenId = key.token_id
  }
  if (tokenId === null) return everywhere
  const token = await access.identifyKeyId(tokenId)
  if (token?.userId !== userId || token.suspended) return null
  return { kind: 'token', tokenId, workspaceId: token.workspaceId }
}
