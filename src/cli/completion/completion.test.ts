import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { bashCompletion } from './bash.ts'
import { fishCompletion } from './fish.ts'
import type { Grammar, GrammarFlag } from './grammar.ts'
import { zshCompletion } from './zsh.ts'

const run = promisify(execFile)

const flag = (long: string, more: Partial<GrammarFlag> = {}): GrammarFlag => ({
  ...{ long, short: null, help: `it’s "${long}": $(touch harm) 'quoted' \\ done`, takesValue: false, values: null },
  ...more,
})
const command = (name: string, more: Partial<Grammar> = {}): Grammar => ({
  ...{ name, summary: `Do '${name}': $HOME \`now\``, flags: [flag('--json')], commands: [], runsProgram: false },
  ...more,
})
const grammar = command('pharos', {
  flags: [],
  commands: [
    command('open', {
      flags: [
        flag('--from', { takesValue: true, values: ['branch', 'directory'] }),
        flag('--as', { takesValue: true }),
        flag('--detach', { short: '-d' }),
      ],
    }),
    command('run', { flags: [flag('--as', { takesValue: true }), flag('--qr')], runsProgram: true }),
    command('agent', { commands: [command('start'), command('stop')] }),
  ],
})

/** What is offered after these words, of which the last one is begun. */
const expected: readonly [line: string, offered: readonly string[]][] = [
  ['op', ['open']],
  ['open --', ['--from', '--as', '--detach']],
  ['open --from ', ['branch', 'directory']],
  ['open --from br', ['branch']],
  ['agent st', ['start', 'stop']],
  ['agent stop --', ['--json']],
  ['run --', ['--as', '--qr']],
  ['run --as npx --q', ['--qr']],
  ['run -- --q', []],
]

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-completion-'))
})
after(() => rm(folder, { recursive: true }))

/** Skips where the shell is not there; a machine that is to test everything must have it. */
function needs(t: TestContext, shell: string): boolean {
  if (spawnSync(shell, ['--version']).error === undefined) return true
  if (process.env.CI === 'true') assert.fail(`${shell} is missing`)
  t.skip(`no ${shell} here`)
  return false
}

describe('a shell offers', () => {
  test('the commands, flags and values there are: bash', async (t) => {
    if (!needs(t, 'bash')) return
    const file = join(folder, 'bash')
    await writeFile(file, bashCompletion(grammar))
    for (const [line, offered] of expected) {
      const { stdout } = await run(
        'bash',
        [
          '-c',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is bash's
          'source "$0"; COMP_WORDS=(pharos "$@"); COMP_CWORD=$#; _pharos; printf "%s\\n" "${COMPREPLY[@]}"',
          file,
          ...line.split(' '),
        ],
        { cwd: folder },
      )
      assert.deepEqual(stdout.split('\n').filter(Boolean), offered, line)
    }
  })

  test('the same: fish', async (t) => {
    if (!needs(t, 'fish')) return
    const file = join(folder, 'fish')
    await writeFile(file, fishCompletion(grammar))
    for (const [line, offered] of expected) {
      const { stdout } = await run(
        'fish',
        ['--no-config', '-c', 'source $argv[1]; complete -C "pharos $argv[2]"', file, line],
        {
          cwd: folder,
          env: { PATH: process.env.PATH, HOME: folder },
        },
      )
      const words = stdout.split('\n').flatMap((one) => (one === '' ? [] : [one.split('\t')[0]]))
      assert.deepEqual(words.sort(), [...offered].sort(), line)
    }
  })

  test('what zsh can read', async (t) => {
    if (!needs(t, 'zsh')) return
    const file = join(folder, 'zsh')
    await writeFile(file, zshCompletion(grammar))
    const script = 'autoload -Uz compinit; compinit -u -d "$1.dump"; source "$1"; print -r -- $_comps[pharos]'
    const { stdout } = await run('zsh', ['-f', '-c', script, 'zsh', file], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder },
    })
    assert.equal(stdout.trim(), '_pharos')
  })
})
