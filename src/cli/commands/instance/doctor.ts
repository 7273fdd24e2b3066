import { z } from 'zod'
import { CommandError, command } from '../../command.ts'

/** Around the world and back with a handshake takes less, in ms. */
const answerMs = 10_000

const roles = ['up', 'panel', 'node', 'edge'] as const

export const doctor = command({
  path: 'doctor',
  summary: 'Say what this machine lacks for Pharos, and what that costs; installs and changes nothing',
  description:
    'It reads the same settings as the roles do. Whatever it says about what this user may do holds for the user who runs it. It ends with 1 when something is missing that the role needs.',
  args: [['[role]', `what the machine is to be: ${roles.join(', ')} [up: panel, node and edge in one]`]],
  flags: [
    ['--check-edge', 'also whether the edge is reached at its public name and under names of tunnels'],
    ['--all', 'also what is well'],
    ['--data-dir <folder>', 'the data folder'],
    ['--config <file>', 'a YAML file of settings [pharos.yaml in the data folder]'],
  ],
  examples: [
    'pharos doctor',
    'pharos doctor node --data-dir /var/lib/pharos',
    'pharos doctor edge --check-edge --json',
  ],
  options: z.object({
    role: z.enum(roles).default('up'),
    checkEdge: z.boolean().default(false),
    all: z.boolean().default(false),
    dataDir: z.string().min(1).optional(),
    config: z.string().min(1).optional(),
  }),
  async run({ role, checkEdge, all, ...flags }, { settings, root, out, now, signal }) {
    const { examine, thisMachine } = await import('../../../instance/doctor/index.ts')
    const found = await settings(flags)
    const { findings, able } = await examine({
      ...{ role, checkEdge, root, signal, settings: found, dataDir: found.dataDir },
      machine: thisMachine(),
      answerMs,
      now: now(),
      say: (line) => out.progress(line),
    })
    out.progress(null)
    out.result({ able, findings }, () => {
      const shown = findings.filter(({ state }) => all || state !== 'ok')
      const lines = shown.flatMap((one) => [
        `${words[one.state].padEnd(9)}${one.found}`,
        ...(one.state === 'ok' ? [] : [`         costs: ${one.cost}`, `         next:  ${one.next}`]),
      ])
      const well = findings.length - findings.filter(({ state }) => state !== 'ok').length
      return [
        ...lines,
        ...(lines.length > 0 ? [''] : []),
        `${well} of ${findings.length} looks found everything well.`,
      ].join('\n')
    })
    if (!able) throw new CommandError(`This machine lacks something that "pharos ${role}" needs.`)
  },
})

const words = { ok: 'well', limited: 'limited', missing: 'MISSING' } as const
