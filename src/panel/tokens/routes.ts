import type { tokenOperations } from '../../contract/api/tokens.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { Access, PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import { listTokens } from './store.ts'
import type { Tokens } from './tokens.ts'

export const tokenRoutes = (
  tokens: Tokens,
  database: Database,
  access: Access,
): Handlers<typeof tokenOperations, PanelContexts> => ({
  async tokens({ workspace }) {
    // So that the key that asks sees itself used.
    await access.flushLastUsed()
    const rows = await listTokens(database.kysely, workspace.id)
    return {
      tokens: rows.map((row) => ({
        id: row.id,
        label: row.label,
        createdAt: isoTime(row.created_at),
        lastUsedAt: timeOrNull(row.last_used_at),
        revokedAt: timeOrNull(row.revoked_at),
        expiresAt: timeOrNull(row.expires_at),
        createdBy: row.email,
      })),
    }
  },
  async createToken({ caller, workspace, body }) {
    const { row, secret } = await database.transact((trx) =>
      tokens.create(trx, {
        workspaceId: workspace.id,
        userId: caller.userId,
        label: body?.label ?? null,
        expiresAt: body?.expiresAt ? Date.parse(body.expiresAt) : null,
        madeWith: caller.via.kind === 'token' ? caller.via.tokenId : null,
      }),
    )
    return {
      id: row.id,
      token: secret.reveal(),
      label: row.label,
      createdAt: isoTime(row.created_at),
      expiresAt: timeOrNull(row.expires_at),
    }
  },
  async revokeToken({ caller, workspace, params }) {
    await tokens.revoke(caller, workspace, params.id)
    return { id: params.id, revoked: true }
  },
})

const timeOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms))
