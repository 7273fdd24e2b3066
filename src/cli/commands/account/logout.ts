import { z } from 'zod'
import { ApiError } from '../../../client/index.ts'
import { type Account, forgetAccount, readAccount } from '../../account.ts'
import { CommandError, command } from '../../command.ts'
import { connectTo, keyOfEnvironment } from '../../connection.ts'

export const logOut = command({
  path: 'logout',
  summary: 'Sign out: forget the saved key, and revoke it where "pharos login" has made it',
  flags: [['--keep-key', 'forget the key here without revoking it']],
  examples: ['pharos logout', 'pharos logout --keep-key --json'],
  options: z.object({ keepKey: z.boolean().default(false) }),
  async run({ keepKey }, { out, configHome, env }) {
    const account = await readAccount(configHome)
    const ended = account && !keepKey ? await revoke(account) : null
    await forgetAccount(configHome)
    if (account && ended instanceof ApiError)
      throw new CommandError(
        `You are signed out here, but the key still works: ${ended.message} Revoke it later with "pharos tokens revoke ${account.keyId}".`,
      )
    out.result({ url: account?.url ?? null, signedOut: account !== null, revoked: ended === true }, () =>
      account === null
        ? 'Nobody was signed in.'
        : ended === true
          ? `You are signed out of ${account.url}, and the key is revoked.`
          : `You are signed out of ${account.url}. The key still works wherever else it is used.`,
    )
    const winner = keyOfEnvironment(env)
    if (winner) out.talk(`${winner.name} is still set, so commands go on acting with it.`)
  },
})

/** True where the key has ended, null where it is not ours to end, else why it could not be. */
async function revoke({ url, key, keyId }: Account): Promise<true | null | ApiError> {
  if (keyId === undefined) return null
  try {
    await connectTo(url, key).client.revokeToken({ params: { id: keyId } })
    return true
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // It had ended before.
    return error.code === 'unauthorized' || error.code === 'not_found' ? true : error
  }
}
