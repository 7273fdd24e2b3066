import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { Metrics } from '../lib/metrics.ts'
import { type Secret, sameSecret } from '../lib/secret.ts'
import { SettingsError } from '../settings/resolve.ts'
import { listening } from './listening.ts'
import { addProcessMetrics } from './process-metrics.ts'

export interface ObservationSettings {
  metricsAddress: { host: string; port: number } | undefined
  metricsToken: Secret | undefined
}

/** What a role is asked: null when it serves as it should, else why not, in words that reveal nothing. */
export type Readiness = () => string | null | Promise<string | null>

export interface Observation extends AsyncDisposable {
  /** Where roles put what they count; missing without an address, so that nobody counts for nobody. */
  readonly metrics: Metrics | undefined
  /** Where it listens; null without an address. */
  readonly port: number | null
  /** Asked by `/readyz` from now on, under this role's name. */
  ready(role: string, readiness: Readiness): void
}

/** A question that takes longer counts as not ready, in ms: whoever asks has a timeout of their own. */
const readyWaitMs = 3_000

/** Connections at a time: a monitor and a health check or two. */
const connectionsMax = 32

/**
 * `/metrics`, `/healthz` and `/readyz` for those who watch over a role, at an address of their own. Metrics are for this machine
 * alone unless there is a token to show; health is for whoever reaches the address, and says no more than yes or no and which part.
 */
export async function startObservation({ metricsAddress, metricsToken }: ObservationSettings): Promise<Observation> {
  const metrics = new Metrics()
  const parts = new Map<string, Readiness>()
  await using closer = new AsyncDisposableStack()
  let port: number | null = null
  if (metricsAddress) {
    const { host } = metricsAddress
    if (!isLoopback(host) && !metricsToken)
      throw new SettingsError([
        `--metrics-address ${host} is reached from other machines: set PHAROS_METRICS_TOKEN, or listen on 127.0.0.1.`,
      ])
    closer.use(addProcessMetrics(metrics))
    const server = createServer(async ({ url, method, headers }, response) => {
      const path = url?.split('?', 1)[0]
      if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, 'Only GET and HEAD.\n')
      if (path === '/healthz') return answer(response, 200, 'ok\n')
      if (path === '/readyz') {
        const missing = await whatIsMissing(parts)
        return answer(
          response,
          missing.length === 0 ? 200 : 503,
          missing.length === 0 ? 'ready\n' : `${missing.join('\n')}\n`,
        )
      }
      if (path !== '/metrics') return answer(response, 404, 'There are /metrics, /healthz and /readyz.\n')
      if (metricsToken && !sameSecret(headers.authorization ?? '', `Bearer ${metricsToken.reveal()}`))
        return answer(response, 401, 'Send the metrics token: Authorization: Bearer …\n')
      answer(response, 200, metrics.text(), 'text/plain; version=0.0.4; charset=utf-8')
    })
    server.maxConnections = connectionsMax
    server.headersTimeout = 5_000
    server.requestTimeout = 5_000
    await listening({ ...metricsAddress, hostFlag: '--metrics-address', portFlag: '--metrics-address' }, async () => {
      server.listen(metricsAddress.port, host)
      await once(server, 'listening')
    })
    closer.defer(async () => {
      server.close()
      server.closeAllConnections()
    })
    const address = server.address()
    port = typeof address === 'object' && address !== null ? address.port : null
  }
  const opened = closer.move()
  return {
    metrics: metricsAddress && metrics,
    port,
    ready: (role, readiness) => void parts.set(role, readiness),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** Tells whoever starts a role where it is watched. */
export function sayObservation({ port }: Observation, say: (line: string) => void): void {
  if (port !== null) say(`Metrics and health on port ${port}: /metrics, /healthz, /readyz`)
}

async function whatIsMissing(parts: ReadonlyMap<string, Readiness>): Promise<string[]> {
  if (parts.size === 0) return ['starting']
  const asked = [...parts].map(async ([role, readiness]) => {
    const late = Promise.withResolvers<string>()
    const timer = setTimeout(() => late.resolve('does not answer'), readyWaitMs)
    try {
      const why = await Promise.race([Promise.resolve(readiness()), late.promise])
      return why === null ? [] : [`${role}: ${why}`]
    } catch {
      return [`${role}: failed`]
    } finally {
      clearTimeout(timer)
    }
  })
  return (await Promise.all(asked)).flat()
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(text)
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
