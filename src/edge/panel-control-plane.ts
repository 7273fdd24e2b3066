import { ApiError, createClient } from '../client/index.ts'
import { type EdgeHello, edgeToPanel, panelToEdge } from '../contract/edge.ts'
import type { Contexts } from '../contract/operation.ts'
import { createApi, linkSend, part } from '../http/index.ts'
import type { Log } from '../lib/log.ts'
import { type Dialler, type KeptLink, keepLink, type Link, LinkError } from '../link/index.ts'
import { type ControlPlane, type EdgeOrders, Refusal, type RefusalCode } from './control-plane.ts'

export interface PanelControlPlaneOptions {
  /** One for each replica of the panel. */
  diallers: Dialler[]
  hello: () => EdgeHello
  orders: EdgeOrders
  log: Log
}

/** How long a question waits for a link to come up before it is refused: an edge and its panel that start together, ms. */
const linkWaitMs = 3_000

/** A panel that does not take the news of draining within this time learns of the end when the link ends, ms. */
const drainToldMs = 3_000

/**
 * The panel as control plane. The edge keeps a link to every replica and asks whichever is up; every replica may give orders.
 * While none is up nothing new is let in, and what is open goes on.
 */
export async function openPanelControlPlane({
  diallers,
  hello,
  orders,
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
        revoke: ({ body }) => ({ closed: orders.revoke(body.revocation, body.reason) }),
      }),
    ],
  })
  let draining = false
  const tellDraining = (to: Link): Promise<unknown> =>
    createClient(edgeToPanel, { baseUrl: '', send: linkSend(() => to) }).drain(
      { body: {} },
      { signal: AbortSignal.timeout(drainToldMs) },
    )
  const links: KeptLink[] = diallers.map((dialler) =>
    keepLink({
      dialler,
      // Not only by `drain`: between the link and that, the panel would name this edge to everybody.
      hello: () => (draining ? { ...hello(), draining } : hello()),
      log,
      onUp: () => {
        orders.recheck()
      },
      events: {
        onStream: (stream, head) => {
          if (typeof head === 'object' && head !== null && 'protocol' in head && head.protocol === 'http')
            api.serve(stream)
          else stream.destroy(new LinkError('refused', 'An edge serves http to its panel, nothing else.'))
        },
      },
    }),
  )
  const current = (): Link | undefined => links.find((link) => link.current)?.current ?? undefined
  const link = (): Link => {
    const found = current()
    if (!found) throw new Refusal('unavailable', 'The edge has no connection to its panel at the moment.')
    return found
  }
  const panel = createClient(edgeToPanel, { baseUrl: '', send: linkSend(link) })

  /** Asks; waits a moment for a link, and translates what goes wrong. */
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    if (!current()) await anyUp(links)
    try {
      return await question()
    } catch (error) {
      throw refusalOf(error)
    }
  }

  return {
    isUp: () => current() !== undefined,
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
      const here = links.flatMap((kept) => kept.current ?? [])
      if (here.length === 0) throw new Refusal('unavailable', 'The edge has no connection to its panel at the moment.')
      await Promise.all(here.map(tellDraining))
    },
    async reportOpen(tunnels) {
      link()
      await panel.reportOpenTunnels({ body: tunnels })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(links.map((kept) => kept[Symbol.asyncDispose]()))
      await api[Symbol.asyncDispose]()
    },
  }
}

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
