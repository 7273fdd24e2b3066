import { z } from 'zod'
import { signers } from '../../../contract/access-rules.ts'
import type { tunnelAccessOperations } from '../../../contract/api/tunnel-access.ts'
import type { Arguments } from '../../../contract/operation.ts'
import { command, type Tools, UsageError } from '../../command.ts'
import { findTunnel } from './find.ts'
import { describeAccess } from './words.ts'

type Change = Arguments<(typeof tunnelAccessOperations)['updateTunnelAccess']>['body']

const ofTunnel = [['<tunnel>', 'its name, as "pharos list" shows it, or its id']] as const
const Named = z.object({ tunnel: z.string().min(1) })
const offFlag = ['--off', 'take these rules away'] as const
const off = { off: z.boolean().default(false) }
const Words = z.array(z.string().min(1)).default([])

async function change(tunnel: string, body: Change, { connect, out }: Tools): Promise<void> {
  const connection = await connect()
  const rules = await connection.client.updateTunnelAccess({
    params: { tunnel: await findTunnel(connection, tunnel) },
    body,
  })
  out.result(rules, () => describeAccess(rules))
}

const show = command({
  path: 'access show',
  summary: 'Show who may visit a tunnel, and how',
  args: ofTunnel,
  examples: ['pharos access show web', 'pharos access show web --json'],
  options: Named,
  async run({ tunnel }, { connect, out }) {
    const connection = await connect()
    const rules = await connection.client.tunnelAccess({ params: { tunnel: await findTunnel(connection, tunnel) } })
    out.result(rules, () => describeAccess(rules))
  },
})

const ip = command({
  path: 'access ip',
  summary: 'Let only some networks visit a tunnel, or keep some out; whoever is inside and may not be is cut',
  args: ofTunnel,
  flags: [
    ['--allow <network...>', 'only these come in: addresses, or networks such as 203.0.113.0/24'],
    ['--deny <network...>', 'these never come in'],
    offFlag,
  ],
  examples: [
    'pharos access ip web --allow 203.0.113.0/24 2001:db8::/32',
    'pharos access ip game --deny 198.51.100.7',
    'pharos access ip web --off',
  ],
  options: Named.extend({ allow: Words, deny: Words, ...off }),
  async run({ tunnel, allow, deny, off: none }, tools) {
    if (none === allow.length + deny.length > 0) throw new UsageError('Say whom to --allow or to --deny, or --off.')
    await change(tunnel, { ip: none ? null : { allow, deny } }, tools)
  },
})

const maintenance = command({
  path: 'access maintenance',
  summary: 'Turn every visitor away with words of yours, or let them in again',
  args: ofTunnel,
  flags: [
    ['--message <text>', 'what visitors read'],
    ['--retry-after <seconds>', 'when they should come again'],
    ['--off', 'let visitors in again'],
  ],
  examples: [
    'pharos access maintenance web --message "Back at noon." --retry-after 3600',
    'pharos access maintenance web --off',
  ],
  options: Named.extend({
    message: z.string().min(1).optional(),
    retryAfter: z.coerce.number().int().min(1).optional(),
    ...off,
  }),
  async run({ tunnel, message, retryAfter, off: none }, tools) {
    const rule = {
      ...(message !== undefined && { message }),
      ...(retryAfter !== undefined && { retryAfterSeconds: retryAfter }),
    }
    await change(tunnel, { maintenance: none ? null : rule }, tools)
  },
})

const limit = command({
  path: 'access limit',
  summary: 'Limit how often visitors come and how fast bytes pass, on each edge',
  args: ofTunnel,
  flags: [
    ['--requests <count>', 'a minute; of what is not HTTP: connections'],
    ['--per <whom>', 'visitor (the default), or tunnel for all together'],
    ['--rate <bytes>', 'bytes a second, both directions together'],
    offFlag,
  ],
  examples: [
    'pharos access limit web --requests 120',
    'pharos access limit web --requests 5000 --per tunnel --rate 1000000',
    'pharos access limit web --off',
  ],
  options: Named.extend({
    requests: z.coerce.number().int().min(1).optional(),
    per: z.enum(['visitor', 'tunnel']).default('visitor'),
    rate: z.coerce.number().int().min(1024).optional(),
    ...off,
  }),
  async run({ tunnel, requests, per, rate, off: none }, tools) {
    if (none === (requests !== undefined || rate !== undefined))
      throw new UsageError('Say --requests or --rate, or --off.')
    await change(
      tunnel,
      { limits: none ? null : { requestsPerMinute: requests ?? null, per, bytesPerSecond: rate ?? null } },
      tools,
    )
  },
})

const password = command({
  path: 'access password',
  summary: 'Ask visitors for a password, and give one to a name; read from standard input',
  args: [...ofTunnel, ['[name]', 'whose password']],
  flags: [
    ['--remove', 'take this name’s password away'],
    ['--off', 'ask for no passwords any more'],
  ],
  examples: [
    'pharos access password web ada',
    'pharos access password web ada < password.txt',
    'pharos access password web ada --remove',
    'pharos access password web --off',
  ],
  options: Named.extend({ name: z.string().min(1).optional(), remove: z.boolean().default(false), ...off }),
  async run({ tunnel, name, remove, off: none }, tools) {
    const { connect, out, readSecret } = tools
    if (none) return change(tunnel, { basic: null }, tools)
    if (name === undefined) throw new UsageError('Say whose password it is, or --off.')
    const connection = await connect()
    const params = { tunnel: await findTunnel(connection, tunnel), user: name }
    const { client } = connection
    const rules = remove
      ? await client.deleteAccessUser({ params })
      : await client.putAccessUser({ params, body: { password: await readSecret(`Password for ${name}`) } })
    out.result(rules, () => describeAccess(rules))
  },
})

const signIn = command({
  path: 'access sign-in',
  summary: 'Have visitors sign in at an OpenID provider first',
  description:
    'The client secret is read from standard input, unless --public says that there is none, or --keep that the one that is kept stays. Register the redirect URIs that are shown with the provider.',
  args: ofTunnel,
  flags: [
    ['--issuer <url>', 'the provider'],
    ['--client-id <id>', 'what it knows this tunnel as'],
    ['--public', 'the client has no secret'],
    ['--keep', 'keep the client secret'],
    ['--email <address...>', 'who may come in'],
    ['--domain <domain...>', 'whose addresses may come in'],
    ['--claim <name=value...>', 'what the provider must say of them; of one name any value will do'],
    ['--anybody', 'whoever can sign in there may come in'],
    ['--scope <scope...>', 'what the provider is asked for: openid email unless given'],
    ['--hours <count>', 'how long a sign-in lasts: 12 unless given'],
    ['--sign-out', 'sign everybody out who has signed in'],
    offFlag,
  ],
  examples: [
    'pharos access sign-in web --issuer https://accounts.google.com --client-id 123.apps --domain example.org < secret.txt',
    'pharos access sign-in web --issuer https://id.example.org --client-id web --public --claim groups=staff --scope openid email groups',
    'pharos access sign-in web --sign-out',
    'pharos access sign-in web --off',
  ],
  options: Named.extend({
    issuer: z.string().min(1).optional(),
    clientId: z.string().min(1).optional(),
    public: z.boolean().default(false),
    keep: z.boolean().default(false),
    email: Words,
    domain: Words,
    claim: z.array(z.string().regex(/^[^=]+=.+$/, 'must be name=value')).default([]),
    anybody: z.boolean().default(false),
    scope: Words,
    hours: z.coerce.number().positive().optional(),
    signOut: z.boolean().default(false),
    ...off,
  }),
  async run({ tunnel, issuer, clientId, signOut, off: none, ...rest }, tools) {
    const { connect, out, readSecret } = tools
    if (none) return change(tunnel, { oidc: null }, tools)
    if (signOut) {
      const connection = await connect()
      const rules = await connection.client.endAccessSessions({
        params: { tunnel: await findTunnel(connection, tunnel) },
      })
      out.result(rules, () => 'Everybody is signed out.')
      return
    }
    if (issuer === undefined || clientId === undefined)
      throw new UsageError('Say --issuer and --client-id, or --sign-out, or --off.')
    const claims = Object.create(null) as Record<string, string[]>
    for (const claim of rest.claim) {
      const name = claim.slice(0, claim.indexOf('='))
      claims[name] = [...(claims[name] ?? []), claim.slice(name.length + 1)]
    }
    const secret = rest.public
      ? { clientSecret: null }
      : rest.keep
        ? {}
        : { clientSecret: await readSecret('Client secret') }
    const rule = {
      ...{ issuer, clientId, emails: rest.email, domains: rest.domain, claims, anybody: rest.anybody },
      ...(rest.scope.length > 0 && { scopes: rest.scope }),
      ...(rest.hours !== undefined && { sessionHours: rest.hours }),
      ...secret,
    }
    await change(tunnel, { oidc: rule }, tools)
  },
})

const headers = command({
  path: 'access headers',
  summary: 'Remove, set and add header fields of requests or of answers, in place of the rules that there were',
  args: ofTunnel,
  flags: [
    ['--request-remove <name...>', 'fields that the service does not get'],
    ['--request-set <field...>', 'fields that it gets: "Name: value"'],
    ['--request-add <field...>', 'the same, beside those that visitors send'],
    ['--response-remove <name...>', 'fields that visitors do not get'],
    ['--response-set <field...>', 'fields that they get'],
    ['--response-add <field...>', 'the same, beside those of the service'],
    offFlag,
  ],
  examples: [
    'pharos access headers web --request-set "X-Env: staging" --response-remove Server X-Powered-By',
    'pharos access headers web --off',
  ],
  options: Named.extend({
    requestRemove: Words,
    requestSet: Words,
    requestAdd: Words,
    responseRemove: Words,
    responseSet: Words,
    responseAdd: Words,
    ...off,
  }),
  async run({ tunnel, off: none, ...given }, tools) {
    if (none === Object.values(given).some((words) => words.length > 0))
      throw new UsageError('Say which fields to change, or --off.')
    const request = { remove: given.requestRemove, set: fieldsOf(given.requestSet), add: fieldsOf(given.requestAdd) }
    const response = {
      remove: given.responseRemove,
      set: fieldsOf(given.responseSet),
      add: fieldsOf(given.responseAdd),
    }
    await change(tunnel, { headers: none ? null : { request, response } }, tools)
  },
})

const signature = command({
  path: 'access signature',
  summary: 'Let only requests to a tunnel that are signed by whom it expects; the secret is read from standard input',
  args: [...ofTunnel, ['[signer]', signers.join(', ')]],
  flags: [
    ['--keep', 'keep the secret'],
    ['--tolerance <seconds>', 'how old a signed time may be: 300 unless given'],
    ['--header <name>', 'with hmac: the field of the signature'],
    ['--algorithm <name>', 'with hmac: sha256, sha1 or sha512'],
    ['--encoding <name>', 'with hmac: hex or base64'],
    ['--prefix <text>', 'with hmac: what stands before it, such as sha256='],
    offFlag,
  ],
  examples: [
    'pharos access signature hooks github < secret.txt',
    'pharos access signature hooks hmac --header X-Signature --prefix sha256= < secret.txt',
    'pharos access signature hooks --off',
  ],
  options: Named.extend({
    signer: z.enum(signers).optional(),
    keep: z.boolean().default(false),
    tolerance: z.coerce.number().int().min(1).optional(),
    header: z.string().min(1).optional(),
    algorithm: z.enum(['sha256', 'sha1', 'sha512']).optional(),
    encoding: z.enum(['hex', 'base64']).optional(),
    prefix: z.string().optional(),
    ...off,
  }),
  async run({ tunnel, signer, keep, tolerance, header, algorithm, encoding, prefix, off: none }, tools) {
    if (none) return change(tunnel, { signature: null }, tools)
    if (signer === undefined) throw new UsageError(`Say who signs (${signers.join(', ')}), or --off.`)
    const rule = {
      signer,
      ...(tolerance !== undefined && { toleranceSeconds: tolerance }),
      ...(header !== undefined && { header }),
      ...(algorithm && { algorithm }),
      ...(encoding && { encoding }),
      ...(prefix !== undefined && { prefix }),
      ...(!keep && { secret: await tools.readSecret('Signing secret') }),
    }
    await change(tunnel, { signature: rule }, tools)
  },
})

/** `access show|ip|maintenance|limit|password|sign-in|headers|signature` */
export const accessCommands = [show, ip, maintenance, limit, password, signIn, headers, signature]

function fieldsOf(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':')
      if (colon < 1) throw new UsageError(`"${field}" is no header field: write it as "Name: value".`)
      return [field.slice(0, colon).trim(), field.slice(colon + 1).trim()]
    }),
  )
}
