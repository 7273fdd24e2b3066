import { z } from 'zod'
import { createClient, type Send, sendByFetch } from '../../../client/index.ts'
import { apiPrefix, publicOperations } from '../../../contract/api/index.ts'
import { Email, Slug } from '../../../contract/fields.ts'
import { randomText } from '../../../lib/ids.ts'
import { Secret } from '../../../lib/secret.ts'
import { readInstance } from '../../../settings/instance.ts'
import { saveAccount } from '../../account.ts'
import { CommandError, command, UsageError } from '../../command.ts'
import { facts } from '../../output.ts'

/** About 103 bits: out of reach of guessing, short enough to type once. */
const generatedPasswordLength = 20

export const setUp = command({
  path: 'setup',
  summary: 'Create the owner account and the first workspace of the panel that runs here',
  description:
    'Works once, on the machine of the panel, while it runs. Prints an API key, which is shown only this once, and saves it for later commands.',
  flags: [
    ['--email <address>', 'the owner’s e-mail address'],
    ['--workspace <name>', 'what to call the first workspace'],
    ['--slug <slug>', 'its part of host names; made from the name unless given'],
    ['--name <name>', 'what to call the owner'],
    ['--password-stdin', 'read the password from standard input; without it one is made and shown once'],
    ['--data-dir <folder>', 'the data folder of the panel'],
  ],
  examples: [
    'pharos setup --email ada@example.com --workspace Acme',
    'pharos setup --email ada@example.com --workspace Acme --password-stdin --json < password.txt',
  ],
  options: z.object({
    email: z.string('is needed').pipe(Email),
    workspace: z.string('is needed').min(1).max(80),
    slug: Slug.optional(),
    name: z.string().min(1).max(80).optional(),
    passwordStdin: z.boolean().default(false),
    dataDir: z.string().min(1).optional(),
  }),
  async run(options, { out, configHome, readSecret, dataDir }) {
    const { email, workspace, name, passwordStdin } = options
    const slug = options.slug ?? slugOf(workspace)
    const folder = dataDir(options.dataDir)
    const instance = await readInstance(folder)
    if (!instance)
      throw new CommandError(
        `No panel runs on the data folder ${folder}. Start it with "npm start" (or "pharos up"), then set it up from another terminal.`,
      )
    if (!instance.setupSecret)
      throw new CommandError(
        `The panel at ${instance.url} is already set up. "pharos use ${instance.url}" takes an API key of it.`,
      )
    const password = passwordStdin ? await readSecret('Password for the owner') : randomText(generatedPasswordLength)
    const client = createClient(publicOperations, {
      baseUrl: instance.url + apiPrefix,
      send: withSession(instance.url),
    })
    await client.setup({
      body: {
        secret: instance.setupSecret,
        email,
        password,
        workspace: { name: workspace, slug },
        ...(name !== undefined && { name }),
      },
    })
    const key = await client.createToken({ body: { label: 'pharos setup' } })
    await client.signOut()
    const accountFile = await saveAccount(configHome, { url: instance.url, key: new Secret(key.token) })
    const generated = passwordStdin ? null : password
    out.talk('Keep these now: they are shown only this once.')
    out.result(
      {
        url: instance.url,
        email,
        workspace: { name: workspace, slug },
        token: key.token,
        tokenId: key.id,
        ...(generated !== null && { password: generated }),
        accountFile,
      },
      () =>
        facts([
          ['panel', instance.url],
          ['e-mail', email],
          ['password', generated],
          ['workspace', `${workspace} (${slug})`],
          ['API key', key.token],
          ['saved in', accountFile],
        ]),
    )
  },
})

/** `acme` of `Acme!`. Throws a `UsageError` where nothing is left. */
function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]/g, '')
    .replace(/^[0-9]+/, '')
    .slice(0, 32)
  if (!Slug.safeParse(slug).success)
    throw new UsageError(`No slug can be made from "${name}". Choose one with --slug: lower-case letters and digits.`)
  return slug
}

/** Carries the session that the set-up begins, as the panel's own page would. */
function withSession(url: string): Send {
  let cookie: string | undefined
  return async (request) => {
    const headers = { ...request.headers, origin: new URL(url).origin, ...(cookie !== undefined && { cookie }) }
    const reply = await sendByFetch({ ...request, headers })
    cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? cookie
    return reply
  }
}
