import type { accountSecurityOperations } from '../../contract/api/account-security.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Accounts } from './accounts.ts'
import { passkeyOrigin } from './passkey-origin.ts'

/** `publicOrigin`: where people reach the panel, where that is configured. */
export const accountSecurityRoutes = (
  accounts: Accounts,
  publicOrigin: string | null,
): Handlers<typeof accountSecurityOperations, PanelContexts> => ({
  async secondFactor({ body, request }) {
    const userId = await accounts.secondStep(body.challenge, body.code, request)
    request.setHeader('Set-Cookie', await accounts.enter('secondFactor', userId, request))
    return accounts.account(userId)
  },
  passkeySignInOptions: ({ request }) => ({
    options: accounts.passkeys.requestOptions(passkeyOrigin(request, publicOrigin)),
  }),
  async signInWithPasskey({ body, request }) {
    const origin = passkeyOrigin(request, publicOrigin)
    const userId = await accounts.signInWithPasskey(body.credential, origin, request)
    request.setHeader('Set-Cookie', await accounts.enter('signInWithPasskey', userId, request))
    return accounts.account(userId)
  },
  twoFactor: ({ caller }) => accounts.secondFactor.state(caller.userId),
  async beginTwoFactor({ caller, body, request }) {
    return accounts.secondFactor.begin(await accounts.confirmPassword(caller.userId, body.password, request.address))
  },
  async confirmTwoFactor({ caller, body, request }) {
    return { recoveryCodes: await accounts.secondFactor.confirm(caller.userId, body.code, request.address) }
  },
  async renewRecoveryCodes({ caller, body, request }) {
    await accounts.confirmPassword(caller.userId, body.password, request.address)
    return { recoveryCodes: await accounts.secondFactor.renewRecoveryCodes(caller.userId, body.code, request.address) }
  },
  async disableTwoFactor({ caller, body, request }) {
    await accounts.confirmPassword(caller.userId, body.password, request.address)
    await accounts.secondFactor.disable(caller.userId, body.code, request.address)
    return { enabled: false }
  },
  async passkeys({ caller }) {
    return { passkeys: await accounts.passkeys.list(caller.userId) }
  },
  async passkeyOptions({ caller, body, request }) {
    const origin = passkeyOrigin(request, publicOrigin)
    const user = await accounts.confirmPassword(caller.userId, body.password, request.address)
    return { options: await accounts.passkeys.creationOptions(user, origin) }
  },
  createPasskey: ({ caller, body, request }) =>
    accounts.passkeys.add(caller.userId, passkeyOrigin(request, publicOrigin), body),
  updatePasskey: ({ caller, params, body }) => accounts.passkeys.rename(caller.userId, params.passkey, body.name),
  async deletePasskey({ caller, params }) {
    await accounts.passkeys.remove(caller.userId, params.passkey)
    return { id: params.passkey, deleted: true }
  },
})
