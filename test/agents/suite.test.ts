import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { patienceMs } from '../patience.ts'
import { type AgentsWorld, startAgentsWorld } from '../world/agents-world.ts'
import { startConformanceServer } from './conformance-server.ts'

/** They have packages of their own, which others must not find. */
const programs = join(import.meta.dirname, '..', 'mcp', 'node_modules', '@modelcontextprotocol')
const suite = join(programs, 'conformance', 'dist', 'index.js')
const inspector = join(programs, 'inspector', 'clients', 'launcher', 'build', 'index.js')
const missing = [suite, inspector].some((program) => !existsSync(program))
if (missing && process.env.CI === 'true') throw new Error('the conformance suite and the inspector are not installed')
const skip = missing && 'the conformance suite and the inspector are not installed: npm test brings them'

/**
 * What every server of a revision must pass, by the suite's own list. Its scenarios ask for tools, prompts and resources of fixed names:
 * `conformance-server.ts` serves those by the product's endpoint. What needs none of them is asked of a whole panel as well.
 */
const ofPanel = {
  '2025-11-25': ['tools-list', 'server-session-lifecycle', 'dns-rebinding-protection'],
  // Which the endpoint's own run has shown: what differs in a panel is that a key is asked for.
  '2026-07-28': ['http-header-validation'],
} as const

describe('the protocol’s own tools', { skip, timeout: 4 * patienceMs }, () => {
  let world: AgentsWorld
  before(async () => {
    if (!missing) world = await startAgentsWorld()
  })
  after(() => world?.[Symbol.asyncDispose]())

  for (const revision of ['2025-11-25', '2026-07-28'] as const)
    test(`find nothing that ${revision} requires and the endpoint does not do`, async () => {
      await using fixtures = await startConformanceServer()
      await using keyed = await withKey(world)
      const [asked, askedPanel] = await Promise.all([
        runSuite(fixtures.url, revision),
        runScenarios(keyed.url, revision, ofPanel[revision]),
      ])
      assert.deepEqual(asked.failed, [], asked.output)
      assert.ok(asked.passed.length > 25, asked.output)
      assert.deepEqual(askedPanel.failed, [], askedPanel.output)
    })

  test('have a stock client in the official inspector, which finds a tool of a panel and calls it', async () => {
    const { stdout } = await run(
      process.execPath,
      [
        inspector,
        '--cli',
        world.url.href,
        '--transport',
        'http',
        '--header',
        `Authorization: Bearer ${world.key}`,
      ].concat('--method', 'tools/call', '--tool-name', 'get_workspace'),
      { env: { PATH: process.env.PATH, HOME: world.folder }, maxBuffer: outputBytesMax },
    )
    assert.equal(JSON.parse(stdout).structuredContent.slug, 'acme')
  })
})

const run = promisify(execFile)
const outputBytesMax = 16 * 1024 * 1024

interface Verdict {
  passed: string[]
  /** Of those that the revision requires. */
  failed: string[]
  output: string
}

/** How often a scenario is asked that does not pass: some wait for no more than half a second, which a busy machine takes. */
const triesMax = 4

/** Which of the suite's scenarios pass, and which of those that are required fail, however often they are asked. */
async function runSuite(url: string, revision: string): Promise<Verdict> {
  const { passed, failed, output } = await askSuite(url, ['--requirements', revision])
  const again = await runScenarios(url, revision, failed)
  return { passed: [...passed, ...again.passed], failed: again.failed, output: output + again.output }
}

/** The same of these alone, one after the other. */
async function runScenarios(url: string, revision: string, scenarios: readonly string[]): Promise<Verdict> {
  const verdict: Verdict = { passed: [], failed: [], output: '' }
  for (const name of scenarios) {
    let worked = false
    for (let attempt = 1; attempt <= triesMax && !worked; attempt += 1) {
      const asked = await askSuite(url, ['--scenario', name, '--spec-version', revision])
      worked = asked.worked
      verdict.output += asked.output
    }
    verdict[worked ? 'passed' : 'failed'].push(name)
  }
  return verdict
}

async function askSuite(url: string, which: readonly string[]): Promise<Verdict & { worked: boolean }> {
  const args = [suite, 'server', '--url', url, ...which]
  const options = { env: { PATH: process.env.PATH, NO_COLOR: '1' }, maxBuffer: outputBytesMax }
  // It fails as a whole where anything does; what came of each scenario is in what it prints.
  const { stdout, worked } = await run(process.execPath, args, options).then(
    ({ stdout }) => ({ stdout, worked: true }),
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '', worked: false }),
  )
  const output = stdout.slice(-outputShownChars)
  const [summary = '', notScored = ''] = stdout.slice(stdout.indexOf('=== SUMMARY')).split('Not scored')
  const named = (mark: string): string[] =>
    [...summary.matchAll(new RegExp(`^${mark} ([a-z0-9-]+):`, 'gm'))].map(([, name]) => name ?? '')
  const optional = [...notScored.matchAll(/^ +. ([a-z0-9-]+) \(/gm)].map(([, name]) => name)
  return { worked, passed: named('✓'), failed: named('✗').filter((name) => !optional.includes(name)), output }
}

/** The end of it, in which the scenarios are summed up. */
const outputShownChars = 6_000

/** The panel's tools for a program that cannot send a key: it is added on the way, and nothing else is touched. */
async function withKey({ url, key }: AgentsWorld): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((asked, answer) => {
    const headers = { ...asked.headers, authorization: `Bearer ${key}` }
    const sent = request({ port: url.port, path: asked.url, method: asked.method, headers }, (reply) => {
      answer.writeHead(reply.statusCode ?? 500, reply.headers)
      reply.pipe(answer)
    })
    sent.on('error', () => answer.destroy())
    answer.on('close', () => sent.destroy())
    asked.pipe(sent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
