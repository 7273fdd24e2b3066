import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { ApiError, type Client, createClient } from '../../../client/index.ts'
import { apiPrefix, publicOperations } from '../../../contract/api/index.ts'
import { displayName } from '../../../contract/fields.ts'
import type { ReplyData } from '../../../contract/operation.ts'
import { Secret } from '../../../lib/secret.ts'
import { readAccount, saveAccount } from '../../account.ts'
import { CommandError, command, type Tools, UsageError } from '../../command.ts'
import { keyOfEnvironment, panelOfEnvironment } from '../../connection.ts'

/** What the panel cuts a name to, in characters. */
const nameLengthMax = 80

/** Waited longer by after a panel asked for it, in ms: RFC 8628. */
const slowDownMs = 5_000

/** Nobody waits longer than this for a code, whatever a panel says, in ms. */
const waitMaxMs = 15 * 60_000

export const logIn = command({
  path: 'login',
  summary: 'Sign in: shows a link and a code, and waits until you have approved it in a browser',
  description:
    'Nothing is opened by itself: the browser may be on another machine. The key that the panel hands out is saved for later commands of this user alone. With --json the link and the code come first, as one line, and what was saved as another.',
  flags: [
    ['--panel <url>', 'where the panel is; without it the one that is known already'],
    ['--name <text>', 'what you are asked to approve, and what the key is called [pharos on <this machine>]'],
  ],
  examples: ['pharos login --panel https://panel.example.org', 'pharos login'],
  options: z.object({
    panel: z.url({ protocol: /^https?$/, error: 'must begin with http:// or https://' }).optional(),
    name: displayName(nameLengthMax).optional(),
  }),
  async run({ panel, name }, { out, configHome, env, now, signal }) {
    const before = await readAccount(configHome).catch((error: unknown) => {
      // A file that cannot be read is about to be replaced.
      if (panel !== undefined) return null
      throw error
    })
    const named = panel ?? panelOfEnvironment(env) ?? before?.url
    if (named === undefined)
      throw new UsageError('No panel is known. Say where it is: pharos login --panel https://panel.example.org')
    if (!URL.canParse(named)) throw new UsageError(`${named} is not an address, such as https://panel.example.org`)
    const url = new URL(named).origin
    const client = createClient(publicOperations, { baseUrl: url + apiPrefix })
    const begun = await client.beginDeviceSignIn({ body: { client: name ?? nameDefault() } }, { signal })
    const until = now() + Math.min(begun.expires_in * 1000, waitMaxMs)
    const waiting = { url: begun.verification_uri, code: begun.user_code, expiresAt: new Date(until).toISOString() }
    out.event(waiting, () => null)
    out.talk(`Open ${begun.verification_uri} in a browser, check that it asks for this code, and approve:`)
    out.talk(`\n  ${begun.user_code}\n`)
    const given = await approved(client, begun, until, { out, now, signal })
    const account = { url, key: new Secret(given.access_token), keyId: given.key_id }
    const file = await saveAccount(configHome, account)
    const slug = given.scopes[0]?.slug ?? ''
    out.event(
      {
        url,
        user: given.user,
        workspace: slug,
        keyId: given.key_id,
        expiresAt: given.expires_at,
        accountFile: file,
      },
      () => `You are signed in to ${url} as ${given.user}, for workspace ${slug}.`,
    )
    if (before?.keyId !== undefined && before.url === url)
      out.talk(`The key of your last sign-in still works: "pharos tokens revoke ${before.keyId}" ends it.`)
    const winner = keyOfEnvironment(env)
    if (winner) out.talk(`${winner.name} is set, and wins over what was saved now. Unset it to use this sign-in.`)
  },
})

type Begun = ReplyData<(typeof publicOperations)['beginDeviceSignIn']>
type Given = Exclude<ReplyData<(typeof publicOperations)['pollDeviceSignIn']>, { error: unknown }>

/** Asks until somebody has decided, as often as the panel lets it. */
async function approved(
  client: Client<typeof publicOperations>,
  begun: Begun,
  until: number,
  { out, now, signal }: Pick<Tools, 'out' | 'now' | 'signal'>,
): Promise<Given> {
  let intervalMs = begun.interval * 1000
  let waitMs = intervalMs
  try {
    while (now() < until) {
      out.progress(`Waiting for your approval: ${clock(until - now())} left`)
      await sleep(waitMs, undefined, { signal })
      waitMs = intervalMs
      try {
        const answer = await client.pollDeviceSignIn({ body: { device_code: begun.device_code } }, { signal })
        if (!('error' in answer)) return answer
        if (answer.error === 'access_denied') throw denied()
        if (answer.error === 'expired_token') break
        if (answer.error === 'slow_down') {
          intervalMs += slowDownMs
          waitMs = intervalMs
        }
      } catch (error) {
        // A panel that restarts, or a network that is away for a moment, costs a poll and not the sign-in.
        if (!(error instanceof ApiError) || !passing.has(error.code)) throw error
        waitMs = Math.max(intervalMs, (error.retryAfterSeconds ?? 0) * 1000)
      }
    }
  } finally {
    out.progress(null)
  }
  throw new CommandError('Nobody approved the code in time. Run "pharos login" again for a new one.')
}

const passing: ReadonlySet<string> = new Set(['unreachable', 'internal', 'rate_limited'])

const denied = (): CommandError =>
  new CommandError(
    'The sign-in was refused: by the person who was asked, or because the workspace takes no more keys of theirs.',
  )

/** `9:05` */
function clock(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

const nameDefault = (): string => {
  const name = displayName(nameLengthMax).safeParse(`pharos on ${hostname()}`.slice(0, nameLengthMax))
  return name.data ?? 'pharos'
}
