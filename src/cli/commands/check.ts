import { z } from 'zod'
import { edgeFindings } from '../check/edges.ts'
import { blocked, type Finding, ok, warning } from '../check/finding.ts'
import { isOpen, panelFindings, panelWayFindings } from '../check/panel.ts'
import { nameFinding } from '../check/way.ts'
import { CommandError, type Connection, command, type Tools } from '../command.ts'
import { ofOneRegion } from './tunnels/forwarding.ts'

/** An agent links to every edge of a region; a few are enough to tell what the network lets through. */
const edgesMax = 5

const proxyVariables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'] as const

export const checkWay = command({
  path: 'check',
  summary: 'Say what blocks tunnels from here: names, ports, TLS, UDP, proxies, the clock, the key',
  description:
    'Goes every way that tunnels take, to the panel and to its edges, opens nothing, and says the next move for whatever is in the way. Ends with exit code 1 where tunnels cannot work.',
  examples: ['pharos check', 'pharos check --json'],
  options: z.object({}),
  async run(_, tools) {
    const findings: Finding[] = []
    const note = (more: readonly Finding[]): void => {
      findings.push(...more)
      // People see each as it is found, programs all of it at once.
      if (!tools.out.asJson) for (const finding of more) tools.out.event(finding, () => lines(finding).join('\n'))
    }
    const connection = await accountOf(tools, note)
    if (connection) await examine(connection, tools, note)
    note(proxyFindings(tools.env, isOpen(findings.filter(({ check }) => /-(dns|tcp|tls|link)$/.test(check)))))
    const inTheWay = findings.filter(({ state }) => state === 'blocked').length
    if (tools.out.asJson) tools.out.result({ blocked: inTheWay > 0, findings }, () => '')
    if (inTheWay > 0)
      throw new CommandError(
        `${inTheWay === 1 ? 'One thing is' : `${inTheWay} things are`} in the way: tunnels cannot work from here.`,
      )
    tools.out.talk('Tunnels work from here.')
  },
})

type Note = (more: readonly Finding[]) => void

async function accountOf({ connect }: Tools, note: Note): Promise<Connection | null> {
  try {
    return await connect()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    note([blocked('account', 'this machine', error.message, { next: 'pharos use <url>' })])
    return null
  }
}

async function examine({ url, key, client }: Connection, { now, signal }: Tools, note: Note): Promise<void> {
  const way = await panelWayFindings(new URL(url))
  note(way)
  if (!isOpen(way)) return
  const { findings, workspace } = await panelFindings(new URL(url), key, now)
  note(findings)
  if (!isOpen(findings)) return
  const { edges } = await client.edges()
  const near = ofOneRegion(edges).slice(0, edgesMax)
  if (near.length === 0)
    note([
      blocked('edges', url, 'the panel has no edge', { next: 'Who runs it starts one: pharos edges create --help' }),
    ])
  for (const { host, port, pin, online } of near) {
    if (!online) note([warning('edges', host, 'is not linked to the panel at the moment')])
    note(await edgeFindings({ host, port, pin }, key, signal))
  }
  if (!workspace) return
  if (/(^|\.)localhost$/.test(workspace.tunnelBase)) {
    note([ok('tunnel-dns', workspace.tunnelBase, 'is found by browsers on this machine, and by nobody else')])
    return
  }
  const name = await nameFinding('tunnel-dns', `check.${workspace.tunnelBase}`)
  // Tunnels open without it; visitors do not find them.
  note([
    name.state === 'blocked'
      ? { ...name, state: 'warning', next: `Who runs the edge needs a DNS record *.${workspace.tunnelBase}.` }
      : name,
  ])
}

function proxyFindings(env: Tools['env'], open: boolean): Finding[] {
  const set = proxyVariables.filter((name) => env[name])
  if (set.length === 0) return [ok('proxy', 'this machine', 'names no proxy')]
  const message = `${set.join(', ')} ${set.length === 1 ? 'names' : 'name'} a proxy, which links do not use`
  return open
    ? [ok('proxy', 'this machine', `${message}: none is needed`)]
    : [
        warning('proxy', 'this machine', message, {
          next: 'Let this machine reach panel and edges directly. Requests to the panel alone go through the proxy with NODE_USE_ENV_PROXY=1.',
        }),
      ]
}

const marks = { ok: 'ok     ', warning: 'warning', blocked: 'BLOCKED' }

const lines = ({ check, subject, state, message, next, ms }: Finding): string[] => [
  `${marks[state]}  ${check.padEnd(14)}  ${subject}: ${message}${ms === null ? '' : ` (${ms} ms)`}`,
  ...(next === null ? [] : [`${' '.repeat(25)}→ ${next}`]),
]
