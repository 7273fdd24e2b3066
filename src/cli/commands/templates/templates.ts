import { readFile, stat, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { CommandError, command, type Tools } from '../../command.ts'
import { facts, table } from '../../output.ts'

/** The largest egg that the panel takes, in bytes. */
const eggBytesMax = 2 * 1024 * 1024

const list = command({
  path: 'templates list',
  summary: 'List the kinds of server that can be created',
  examples: ['pharos templates list', 'pharos templates list --json'],
  options: z.object({}),
  async run(_, { connect, out }) {
    const { client } = await connect()
    const templates = await client.templates()
    out.result(templates, () =>
      table(
        ['id', 'name', 'memory', 'origin', 'summary'],
        templates.map(({ id, name, resources, origin, summary }) => [
          id,
          name,
          `${resources.memory} MiB`,
          origin,
          summary,
        ]),
      ),
    )
  },
})

const show = command({
  path: 'templates show',
  summary: 'Show one kind of server and its variables',
  args: [['<id>', 'as "pharos templates list" shows it']],
  examples: ['pharos templates show minecraft'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const template = await client.template({ params: { template: id } })
    const { name, summary, category, protocols, resources, variables, origin } = template
    out.result(template, () =>
      [
        facts([
          ['id', id],
          ['name', name],
          ['summary', summary],
          ['category', category],
          ['transports', protocols.join(', ')],
          [
            'new servers get',
            `${resources.memory} MiB of memory, ${resources.disk} MiB of disk, ${resources.cpu} cores`,
          ],
          ['origin', origin],
        ]),
        table(
          ['variable', 'default', 'rule', 'who may change it'],
          variables.map((variable) => [
            variable.name,
            variable.default,
            ruleWords(variable.rule),
            whoWords[variable.access ?? 'edit'],
          ]),
        ),
      ].join('\n\n'),
    )
  },
})

const importEgg = command({
  path: 'templates import',
  summary: 'Make a template of a Pterodactyl or Pelican egg, and say what became of each part of it',
  args: [['<file>', 'the egg, JSON or YAML; - for standard input']],
  flags: [
    ['--id <id>', 'its id here; without it one is made from its name'],
    ['--replace', 'take it as a newer version of the template of that id'],
    ['--preview', 'change nothing, only say what would be'],
  ],
  examples: ['pharos templates import egg-paper.json', 'pharos templates import egg-paper.yaml --id paper --replace'],
  options: z.object({
    file: z.string().min(1),
    id: z.string().min(1).optional(),
    replace: z.boolean().default(false),
    preview: z.boolean().default(false),
  }),
  async run({ file, id, replace, preview }, tools) {
    const egg = await readEgg(file, tools)
    const { client } = await tools.connect()
    const reply = await client.importTemplate({ body: { egg, replace, preview, ...(id === undefined ? {} : { id }) } })
    tools.out.result(reply, () => {
      const said = { added: 'is there', updated: 'is a newer version now', same: 'is as it was' }[reply.outcome]
      const first = preview
        ? `Template ${reply.template.id} would be ${reply.outcome}.`
        : `Template ${reply.template.id} ${said}.`
      return [first, notesTable(reply.notes)].join('\n\n')
    })
  },
})

const exportEgg = command({
  path: 'templates export',
  summary: 'Print a template as an egg (PTDL_v2), or write it to a file',
  args: [
    ['<id>', 'as "pharos templates list" shows it'],
    ['[file]', 'where to; it must not exist'],
  ],
  examples: ['pharos templates export paper > egg-paper.json'],
  options: z.object({ id: z.string().min(1), file: z.string().min(1).optional() }),
  async run({ id, file }, { connect, out, path }) {
    const { client } = await connect()
    const { egg } = await client.exportTemplate({ params: { template: id } })
    const text = JSON.stringify(egg, null, 2)
    if (file !== undefined)
      await writeFile(path(file), `${text}\n`, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
        throw new CommandError(
          error.code === 'EEXIST' ? `${file} exists already; choose another name.` : `${file}: ${error.message}`,
        )
      })
    out.result(egg, () => (file === undefined ? text : `${file} holds the egg of ${id}.`))
  },
})

const set = command({
  path: 'templates set',
  summary: 'Say what an egg could not: what new servers get, its transports, its category',
  args: [['<id>', 'as "pharos templates list" shows it']],
  flags: [
    ['--name <name>', 'what to call it'],
    ['--category <category>', 'game or tool'],
    ['--protocols <list>', 'tcp, udp, or tcp,udp'],
    ['--memory <MiB>', 'memory of new servers'],
    ['--disk <MiB>', 'disk of new servers'],
    ['--cpu <cores>', 'cores of new servers'],
  ],
  examples: ['pharos templates set paper --memory 4096 --protocols tcp'],
  options: z.object({
    id: z.string().min(1),
    name: z.string().optional(),
    category: z.enum(['game', 'tool']).optional(),
    protocols: z
      .string()
      .transform((text) => text.split(','))
      .pipe(z.array(z.enum(['tcp', 'udp'])).min(1))
      .optional(),
    memory: z.coerce.number().int().optional(),
    disk: z.coerce.number().int().optional(),
    cpu: z.coerce.number().optional(),
  }),
  async run({ id, memory, disk, cpu, ...rest }, { connect, out }) {
    const { client } = await connect()
    const template = await client.updateTemplate({
      params: { template: id },
      body: { ...rest, resources: { memory, disk, cpu } },
    })
    out.result(template, () => `Template ${template.id} is changed for servers that are made from now on.`)
  },
})

const remove = command({
  path: 'templates delete',
  summary: 'Delete an imported template that no server is made from',
  args: [['<id>', 'as "pharos templates list" shows it']],
  examples: ['pharos templates delete paper'],
  options: z.object({ id: z.string().min(1) }),
  async run({ id }, { connect, out }) {
    const { client } = await connect()
    const reply = await client.deleteTemplate({ params: { template: id } })
    out.result(reply, () => `Template ${reply.id} is deleted.`)
  },
})

export const templateCommands = [list, show, importEgg, exportEgg, set, remove]

async function readEgg(file: string, { path, readText }: Tools): Promise<string> {
  if (file === '-') return readText(eggBytesMax)
  try {
    const { size } = await stat(path(file))
    if (size > eggBytesMax)
      throw new CommandError(`${file} is larger than ${eggBytesMax / 1024 / 1024} MiB; that is no egg.`)
    return await readFile(path(file), 'utf8')
  } catch (error) {
    if (error instanceof CommandError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(code === 'ENOENT' ? `There is no file ${file}.` : `${file} could not be read: ${message}`)
  }
}

function notesTable(notes: readonly { kind: string; where: string; message: string }[]): string {
  const order = ['dropped', 'changed', 'kept']
  const sorted = [...notes].sort((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind))
  return table(
    ['', 'what', 'why'],
    sorted.map(({ kind, where, message }) => [kind, where, message]),
  )
}

const whoWords = {
  edit: 'whoever may change the start-up',
  view: 'administrators',
  hidden: 'nobody: it is the same everywhere',
}

type Rule = {
  type: string
  min?: number | undefined
  max?: number | undefined
  of?: string[] | undefined
  pattern?: string | undefined
  optional?: boolean | undefined
}

function ruleWords({ type, min, max, of, pattern, optional }: Rule): string {
  const range = min === undefined ? '' : ` ${min} to ${max}`
  const words = of ? of.join(', ') : `${type}${range}${pattern === undefined ? '' : `, like ${pattern}`}`
  return optional ? `${words}, or empty` : words
}
