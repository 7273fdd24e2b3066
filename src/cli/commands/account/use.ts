import { z } from 'zod'
import { Secret } from '../../../lib/secret.ts'
import { saveAccount } from '../../account.ts'
import { command, UsageError } from '../../command.ts'
import { connectTo } from '../../connection.ts'

export const useAccount = command({
  path: 'use',
  summary: 'Talk to this panel from now on; reads an API key from standard input',
  args: [['<url>', 'where the panel is']],
  examples: ['pharos use https://panel.example.org', 'pharos use http://127.0.0.1:4600 < key.txt'],
  options: z.object({
    url: z.url({ protocol: /^https?$/, error: 'must begin with http:// or https://' }),
  }),
  async run({ url }, { out, configHome, readSecret }) {
    const key = await readSecret(`API key for ${url}`)
    if (key === '') throw new UsageError('No API key came on standard input.')
    const account = { url: new URL(url).origin, key: new Secret(key) }
    // Nothing is saved that the panel does not know.
    const workspace = await connectTo(account.url, account.key).client.workspace()
    const file = await saveAccount(configHome, account)
    out.result(
      { url: account.url, workspace: workspace.slug, accountFile: file },
      () => `From now on commands act for workspace ${workspace.slug} at ${account.url}.`,
    )
  },
})
