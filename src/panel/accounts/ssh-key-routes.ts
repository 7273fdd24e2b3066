import type { sshKeyOperations } from '../../contract/api/ssh-keys.ts'
import { invalidRequest } from '../../contract/errors.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Accounts } from './accounts.ts'

export const sshKeyRoutes = (accounts: Accounts): Handlers<typeof sshKeyOperations, PanelContexts> => ({
  async sshKeys({ caller }) {
    return { sshKeys: await accounts.sshKeys.list(caller.userId) }
  },
  async createSshKey({ caller: { userId, via }, body: { password, ...key }, request }) {
    // A browser that somebody left open must not become a way in that lasts; what a key adds ends with the key.
    if (via.kind === 'session') {
      if (password === undefined)
        throw invalidRequest('body.password', 'is missing', 'the password of the account, once more')
      await accounts.confirmPassword(userId, password, request.address)
    }
    return accounts.sshKeys.add(userId, { ...key, tokenId: via.kind === 'token' ? via.tokenId : null })
  },
  async deleteSshKey({ caller, params }) {
    await accounts.sshKeys.remove(caller.userId, params.sshKey)
    return { id: params.sshKey, deleted: true }
  },
})
