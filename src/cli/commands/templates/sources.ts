import { z } from 'zod'
import { command } from '../../command.ts'
import { facts, table } from '../../output.ts'

const list = command({
  path: 'template-sources list',
  summary: 'List the archives of eggs that templates are synchronised from',
  examples: ['pharos template-sources list'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const reply = await client.templateSources()
    out.result(reply, () =>
      table(
        ['id', 'name', 'url', 'every', 'last', 'result'],
        reply.sources.map(({ id, name, url, everyHours, lastSync }) => [
          id,
          name,
          url,
          everyHours === null ? 'by hand' : `${everyHours} h`,
          lastSync?.at ?? 'never',
          lastSync ? (lastSync.error ?? countWords(lastSync.files)) : '',
        ]),
      ),
    )
  },
})

const create = command({
  path: 'template-sources create',
  summary: 'Register an archive of eggs (.tar.gz, .zip) or a single one',
  args: [
    ['<name>', 'what to call it'],
    ['<url>', 'where it is fetched'],
  ],
  flags: [
    ['--folder <path>', 'only eggs below this folder of the archive'],
    ['--every <hours>', 'synchronise by itself this often; without it by hand alone'],
    ['--allow-private', 'also from addresses that are not on the public internet'],
  ],
  examples: ['pharos template-sources create community https://example.org/eggs.tar.gz --folder java --every 24'],
  options: z.object({
    name: z.string().min(1),
    url: z.string().min(1),
    folder: z.string().default(''),
    every: z.coerce.number().int().min(1).optional(),
    allowPrivate: z.boolean().default(false),
  }),
  async run({ name, url, folder, every, allowPrivate }, { connect, out }) {
    const { client } = await connect()
    const source = await client.createTemplateSource({
      body: { name, url, folder, allowPrivate, everyHours: every ?? null },
    })
    out.result(source, () =>
      [
        facts([
          ['id', source.id],
          ['name', source.name],
          ['url', source.url],
        ]),
        `Fetch it with "pharos template-sources sync ${source.id}".`,
      ].join('\n\n'),
    )
  },
})

const sync = command({
  path: 'template-sources sync',
  summary: 'Fetch it now, import what is new or changed, and say what changed',
  args: [['<id>', 'as "pharos template-sources list" shows it']],
  examples: ['pharos template-sources sync src_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    out.talk('Fetching it; that may take a minute or two.')
    const source = await client.syncTemplateSource({ params: { source: id } })
    const files = source.lastSync?.files ?? []
    out.result(source, () => {
      const changed = files.filter(({ outcome }) => outcome !== 'same')
      const rows = changed.map(({ outcome, template, path, message }) => [outcome, template ?? '', path, message ?? ''])
      return [countWords(files), ...(rows.length > 0 ? [table(['', 'template', 'file', ''], rows)] : [])].join('\n\n')
    })
  },
})

const remove = command({
  path: 'template-sources delete',
  summary: 'Forget a source; its templates stay',
  args: [['<id>', 'as "pharos template-sources list" shows it']],
  examples: ['pharos template-sources delete src_4k2j9x0q1m5v7c3d'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteTemplateSource({ params: { source: id } })
    out.result(reply, () => `${reply.id} is forgotten; its templates stay.`)
  },
})

export const templateSourceCommands = [list, create, sync, remove]

function countWords(files: readonly { outcome: string }[]): string {
  const count = (outcome: string): number => files.filter((file) => file.outcome === outcome).length
  const words = ['added', 'updated', 'same', 'gone', 'failed'].map((outcome) => [count(outcome), outcome] as const)
  return words
    .filter(([many]) => many > 0)
    .map(([many, outcome]) => `${many} ${outcome}`)
    .join(', ')
}
