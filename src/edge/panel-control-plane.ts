import { z } from 'zod'
import { ApiError, createClient } from '../client/index.ts'
import { type EdgeHello, edgeToPanel, type OpenTunnel, panelToEdge } from '../contract/edge.ts'
import { edgeInspection } from '../contract/edge-inspection.ts'
import type { PanelEndpoint } from '../contract/join-token.ts'
import type { Contexts, Handlers } from '../contract/operation.ts'
import { createApi, linkSend, part } from '../http/index.ts'
import type { LevelChange } from '../lib/level-change.ts'
import type { Log } from '../lib/log.ts'
import { type Dialler, type KeptLink, keepLink, type Link, LinkError, PanelLinks } from '../link/index.ts'
import type { Challenges } from './challenges.ts'
import { type ControlPlane, type EdgeOrders, Refusal, type RefusalCode } from './control-plane.ts'

export interface PanelControlPlaneOptions {
  /** Those that the settings name: one is enough, it tells of the others. */
  panels: readonly PanelEndpoint[]
  /** Keeps those that it has told of. */
  panelsFile: string
  dial(panel: PanelEndpoint): Dialler
  hello: () => EdgeHello
  orders: EdgeOrders
  challenges: Pick<Challenges, 'offer' | 'withdraw'>
  /** What is known of visitors, for the panels to show. */
  inspection: Handlers<typeof edgeInspection, Contexts>
  logLevel: Pick<LevelChange, 'set'>
  log: Log
}

/** How long a question waits for a link to come up before it is refused: an edge and its panel that start together, ms. */
const linkWaitMs = 3_000

/** A panel that does not take the news of draining within this time learns of the end when the link ends, ms. */
const drainToldMs = 3_000

/** A panel that does not take the list of open tunnels within this time gets the next one, ms. */
const openToldMs = 5_000

/**
 * The panel as control plane. The edge keeps a link to every replica and asks whichever is up; every replica may give orders.
 * While none is up nothing new is let in, and what is open goes on.
 */
export async function openPanelControlPlane({
  panels,
  panelsFile,
  dial,
  hello,
  orders,
  challenges,
  inspection,
  logLevel,
  log,
}: PanelControlPlaneOptions): Promise<ControlPlane> {
  const peer: PeerContexts = noContexts
  const api = await createApi<PeerContexts>({
    prefix: '',
    cors: false,
    log,
    // Only the panel at the other end of the pinned link can open streams here.
    gate: { admit: () => peer.peer },
    parts: [
      part<typeof panelToEdge, PeerContexts>(panelToEdge, {
        setLimits({ body: { workspaceId, limits } }) {
          orders.setLimits(workspaceId, limits)
          return {}
        },
        regrant({ body }) {
          orders.regrant(body.tunnelId)
          return {}
        },
        setEdges({ body }) {
          orders.setEdges(body.edges)
          return {}
        },
        async setPanels({ body }) {
          await links.put(body.panels)
          return {}
        },
        setLogLevel({ body: { level, forMs } }) {
          logLevel.set(level, forMs)
          return {}
        },
        offerAnswer({ body }) {
          challenges.offer(body)
          return {}
        },
        withdrawAnswer({ params }) {
          challenges.withdraw(params.token)
          return {}
        },
        revoke: ({ body }) => ({ closed: orders.revoke(body.revocation, body.reason) }),
      }),
      part<typeof edgeInspection, PeerContexts>(edgeInspection, inspection),
    ],
  })
  let draining = false
  const tellDraining = (to: Link): Promise<unknown> =>
    createClient(edgeToPanel, { baseUrl: '', send: linkSend(() => to) }).drain(
      { body: {} },
      { signal: AbortSignal.timeout(drainToldMs) },
    )
  /** What is open, as it was told last: for a panel that comes later. */
  let open: OpenTunnel[] | null = null
  const tellOpen = (to: Link, tunnels: OpenTunnel[]): Promise<unknown> =>
    createClient(edgeToPanel, { baseUrl: '', send: linkSend(() => to) }).reportOpenTunnels(
      { body: tunnels },
      { signal: AbortSignal.timeout(openToldMs) },
    )
  const keep = (panel: PanelEndpoint): KeptLink =>
    keepLink({
      dialler: dial(panel),
      // Not only by `drain`: between the link and that, the panel would name this edge to everybody.
      hello: () => (draining ? { ...hello(), draining } : hello()),
      log,
      onUp(link) {
        orders.recheck()
        // What it missed is told again with the next report.
        if (open) void tellOpen(link, open).catch(() => undefined)
      },
      events: {
        onStream: (stream, head) => {
          if (typeof head === 'object' && head !== null && 'protocol' in head && head.protocol === 'http')
            api.serve(stream)
          else stream.destroy(new LinkError('refused', 'An edge serves http to its panel, nothing else.'))
        },
      },
    })
  const links = await PanelLinks.open({ configured: panels, file: panelsFile, keep, log })
  const here = (): Link[] => links.all().flatMap((kept) => kept.current ?? [])
  const current = (): Link | undefined => here()[0]
  const link = (): Link => {
    const found = current()
    if (!found) throw new Refusal('unavailable', 'The edge has no connection to its panel at the moment.')
    return found
  }
  const reports = (): string | undefined => Welcome.safeParse(current()?.greeting).data?.reports
  const panel = createClient(edgeToPanel, { baseUrl: '', send: linkSend(link) })

  /** Asks; waits a moment for a link, and translates what goes wrong. */
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (!current()) await anyUp(links.all())
    try {
      return await question()
    } catch (error) {
      throw refusalOf(error)
    }
  }

  return {
    isUp: () => current() !== undefined,
    reportUrl(host) {
      const page = reports()
      return page === undefined ? null : `${page}?host=${encodeURIComponent(host)}`
    },
    verify: (credential, address) => ask(() => panel.verifyAgent({ body: { credential, address } })),
    claim: (agent, tunnel) => ask(() => panel.claimTunnel({ body: { agent, tunnel } })),
    async report(report) {
      link()
      const { rejected } = await panel.reportUsage({ body: report })
      return { rejected }
    },
    async drain() {
      draining = true
      // Every replica: each of them tells its own nodes and agents where to link.
      link()
      await Promise.all(here().map(tellDraining))
    },
    async reportOpen(tunnels) {
      open = tunnels
      link()
      // Every replica: people look at any of them.
      await Promise.all(here().map((one) => tellOpen(one, tunnels)))
    },
    async [Symbol.asyncDispose]() {
      await links[Symbol.asyncDispose]()
      await api[Symbol.asyncDispose]()
    },
  }
}

/** What a panel says first, as far as it matters here; an older one says less. */
const Welcome = z.object({
  reports: z
    .url({ protocol: /^https?$/ })
    .max(1000)
    .optional(),
})

interface PeerContexts extends Contexts {
  peer: object
}

const noContexts: PeerContexts = {
  public: {},
  account: {},
  session: {},
  instance: {},
  peer: {},
  workspace: {},
  server: {},
  ticket: {},
}

async function anyUp(links: KeptLink[]): Promise<void> {
  const signal = AbortSignal.timeout(linkWaitMs)
  await Promise.any(links.map((link) => link.up(signal))).catch(() => {
    throw new Refusal('unavailable', 'The edge has no connection to its panel at the moment.')
  })
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error
  if (!(error instanceof ApiError)) return new Refusal('unavailable', 'The panel did not answer; try again.')
  return new Refusal(refusalCodes[error.code] ?? 'unavailable', error.message)
}

const refusalCodes: Readonly<Record<string, RefusalCode>> = {
  unauthorized: 'forbidden',
  forbidden: 'forbidden',
  conflict: 'taken',
  not_found: 'invalid',
  invalid_request: 'invalid',
  too_large: 'invalid',
  rate_limited: 'later',
}
