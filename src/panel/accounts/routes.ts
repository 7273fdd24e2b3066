import type { accountOperations } from '../../contract/api/accounts.ts'
import { AppError, notFound } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import { isoTime } from '../../lib/clock.ts'
import type { Access, Caller, PanelContexts } from '../access/index.ts'
import type { Accounts } from './accounts.ts'

export const accountRoutes = (
  accounts: Accounts,
  access: Access,
): Handlers<typeof accountOperations, PanelContexts> => ({
  async setup({ body, request }) {
    const right = await accounts.attempts.begin(request.address, null)
    await accounts.setup.check(body.secret)
    right()
    const { user } = await accounts.setup.run(body)
    request.setHeader('Set-Cookie', await accounts.enter('setup', user.id, request))
    return accounts.account(user.id)
  },
  async signIn({ body, request }) {
    const { userId, next } = await accounts.signIn(body.email, body.password, request)
    if (next) return { secondFactor: next }
    request.setHeader('Set-Cookie', await accounts.enter('signIn', userId, request))
    return accounts.account(userId)
  },
  async signOut({ caller, request }) {
    const current = sessionOf(caller)
    if (current === null)
      throw new AppError('not_found', 'You came with an API key, not a session. DELETE /tokens/{id} revokes a key.')
    await accounts.sessions.end(caller.userId, current)
    request.setHeader('Set-Cookie', accounts.sessions.endedCookie)
    return { signedOut: true }
  },
  async sessions({ caller }) {
    await access.flushLastUsed()
    const rows = await accounts.sessions.list(caller.userId)
    return {
      sessions: rows.map((row) => ({
        id: row.id,
        current: row.id === sessionOf(caller),
        createdAt: isoTime(row.created_at),
        lastUsedAt: isoTime(row.last_used_at),
        expiresAt: isoTime(row.expires_at),
        address: row.address,
        userAgent: row.user_agent,
      })),
    }
  },
  async endSession({ caller, params }) {
    if (!(await accounts.sessions.end(caller.userId, params.session))) throw notFound(`Session ${params.session}`)
    return { id: params.session, ended: true }
  },
  account: ({ caller }) => accounts.account(caller.userId),
  async changePassword({ caller, body, request }) {
    await accounts.changePassword(caller.userId, body, { address: request.address, keep: sessionOf(caller) })
    return { changed: true }
  },
  async acceptInvitation({ body, request }) {
    const userId = await accounts.accept(body, request)
    request.setHeader('Set-Cookie', await accounts.enter('acceptInvitation', userId, request))
    return accounts.account(userId)
  },
})

const sessionOf = ({ via }: Caller): string | null => (via.kind === 'session' ? via.sessionId : null)
