import { ApiError, createClient, sendByFetch } from '../../client/index.ts'
import { apiPrefix, publicOperations } from '../../contract/api/index.ts'
import type { Secret } from '../../lib/secret.ts'
import { blocked, type Finding, ok, warning } from './finding.ts'
import { certificateFinding, nameFinding, portFinding } from './way.ts'

/** A clock that is off by more makes certificates and short-lived links fail. */
const clockOffMsMax = 60_000

/** The way from here to the panel, as far as it goes. */
export async function panelWayFindings(url: URL): Promise<Finding[]> {
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
  const found = [await nameFinding('panel-dns', url.hostname)]
  if (isOpen(found)) found.push(await portFinding('panel-tcp', url.hostname, port))
  if (isOpen(found) && url.protocol === 'https:') found.push(await certificateFinding('panel-tls', url.hostname, port))
  return found
}

/** Whether the panel answers, the key is good, and the clocks agree; and the workspace, where it is. */
export async function panelFindings(
  url: URL,
  key: Secret,
  now: () => number,
): Promise<{ findings: Finding[]; workspace: { slug: string; tunnelBase: string } | null }> {
  let date: string | null = null
  const client = createClient(publicOperations, {
    baseUrl: url.href.replace(/\/+$/, '') + apiPrefix,
    token: key.reveal(),
    async send(request) {
      const reply = await sendByFetch(request)
      date = reply.headers.get('date')
      return reply
    },
  })
  const begun = performance.now()
  try {
    const workspace = await client.workspace()
    const ms = performance.now() - begun
    return {
      findings: [
        ok('key', url.origin, `the API key is good, for workspace ${workspace.slug}`, { ms }),
        ...clock(date, now()),
      ],
      workspace,
    }
  } catch (error) {
    return { findings: [keyFinding(url, error), ...clock(date, now())], workspace: null }
  }
}

/** What a refused or failed request says of the key. */
export function keyFinding(url: URL, error: unknown): Finding {
  if (!(error instanceof ApiError))
    return blocked('key', url.origin, error instanceof Error ? error.message : String(error), {
      next: 'Is this the address of a panel? A proxy may answer in its place.',
    })
  switch (error.code) {
    case 'unauthorized':
      return blocked('key', url.origin, `the API key is refused: ${error.message}`, {
        next: `Make another one ("API keys" in the panel), then: pharos use ${url.origin}`,
      })
    case 'forbidden':
      // A narrow key may still open tunnels.
      return warning('key', url.origin, `the API key may not see its workspace: ${error.message}`)
    default:
      return blocked('key', url.origin, error.message, {
        next: 'Is this the address of a panel? A proxy may answer in its place.',
      })
  }
}

function clock(date: string | null, nowMs: number): Finding[] {
  const theirs = date === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(theirs)) return []
  const off = Math.abs(nowMs - theirs)
  if (off <= clockOffMsMax) return [ok('clock', 'this machine', 'agrees with the panel’s')]
  return [
    warning(
      'clock',
      'this machine',
      `is ${Math.round(off / 1000)} s ${nowMs > theirs ? 'ahead of' : 'behind'} the panel’s`,
      {
        next: 'Set it (timedatectl set-ntp true): certificates look as if they had ended, or had not begun.',
      },
    ),
  ]
}

export const isOpen = (found: readonly Finding[]): boolean => !found.some(({ state }) => state === 'blocked')
