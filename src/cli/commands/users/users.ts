import { z } from 'zod'
import type { userOperations } from '../../../contract/api/users.ts'
import type { ReplyData } from '../../../contract/operation.ts'
import { CommandError, command } from '../../command.ts'
import { table } from '../../output.ts'

const list = command({
  path: 'users list',
  summary: 'List everybody with an account on this installation',
  flags: [['--search <text>', 'only those with this in their e-mail address or name']],
  examples: ['pharos users list', 'pharos users list --search ada --json'],
  options: z.object({ search: z.string().min(1).max(200).optional() }),
  async run({ search }, { connect, out }) {
    const { client } = await connect()
    const users: ReplyData<(typeof userOperations)['users']>['users'] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await client.users({ query: { search, cursor } })
      users.push(...page.users)
      cursor = page.nextCursor
    }
    out.result({ users }, () =>
      table(
        ['e-mail', 'second factor', 'passkeys', 'workspaces', 'administrator'],
        users.map((user) => [
          user.email,
          user.secondFactor ? 'on' : 'off',
          String(user.passkeys),
          user.workspaces.map(({ slug }) => slug).join(', '),
          user.instanceAdmin ? 'yes' : '',
        ]),
      ),
    )
  },
})

const resetSecondFactor = command({
  path: 'users reset-second-factor',
  summary: 'Turn off the second factor of somebody who has lost it; they are signed out everywhere',
  args: [['<e-mail>', 'whose; make sure first that it is them who ask']],
  examples: ['pharos users reset-second-factor ada@example.com'],
  options: z.object({ email: z.string().min(1).max(320) }),
  async run({ email }, { connect, out }) {
    const { client } = await connect()
    const wanted = email.toLowerCase()
    const { users } = await client.users({ query: { search: wanted } })
    const user = users.find((one) => one.email.toLowerCase() === wanted)
    if (!user) throw new CommandError(`Nobody here has the address ${email}. "pharos users list" says who there is.`)
    const reply = await client.resetSecondFactor({ params: { user: user.id } })
    out.result(
      reply,
      () => `The second factor of ${user.email} is off: the password is enough until it is set up again.`,
    )
  },
})

export const userCommands = [list, resetSecondFactor]
