import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** The project's folder. */
export const root = join(import.meta.dirname, '..')

/** One thing to check: a program and its arguments, run in the project's folder. */
export interface Step {
  name: string
  command: readonly [program: string, ...args: string[]]
}

/** Programs of our packages run by their own file: no shell, no look-up on the PATH. */
const tool = (path: string, ...args: string[]): Step['command'] => [
  process.execPath,
  join(root, 'node_modules', path),
  ...args,
]

export const types: Step = { name: 'types', command: tool('typescript/bin/tsc', '-p', '.') }
export const webTypes: Step = { name: 'types of the web UI', command: tool('typescript/bin/tsc', '-p', 'web') }
export const lint: Step = {
  name: 'lint and format',
  command: tool('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '--diagnostic-level=warn'),
}
export const architecture: Step = {
  name: 'architecture',
  command: [process.execPath, '--test', '--test-reporter=dot', 'test/architecture.test.ts'],
}
export const documentDrift: Step = {
  name: 'OpenAPI document is what the contract says',
  command: [process.execPath, '--test', '--test-reporter=dot', 'test/openapi.test.ts'],
}
export const documentLint: Step = {
  name: 'OpenAPI document is clean',
  command: tool('@redocly/cli/bin/cli.js', 'lint', 'docs/openapi.json', '--config', 'redocly.yaml'),
}
export const unused: Step = { name: 'nothing unused', command: tool('knip/bin/knip.js', '--no-progress') }

/** Runs each step, also after one has failed; prints the output of those that fail. Returns the names of those. */
export async function runSteps(steps: readonly Step[]): Promise<string[]> {
  const failed: string[] = []
  for (const step of steps) {
    const began = performance.now()
    const { code, output } = await run(step.command)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    console.log(`${code === 0 ? '✔' : '✖'} ${step.name} (${seconds} s)`)
    if (code === 0) continue
    failed.push(step.name)
    console.log(output.trimEnd())
  }
  return failed
}

function run([program, ...args]: Step['command']): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
      })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
