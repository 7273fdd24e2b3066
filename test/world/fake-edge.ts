import { type Client, createClient } from '../../src/client/index.ts'
import { edgeToPanel, panelToEdge, type Revocation, type WorkspaceLimits } from '../../src/contract/edge.ts'
import type { LogLevelOrder } from '../../src/contract/log-level.ts'
import type { Contexts } from '../../src/contract/operation.ts'
import type { EdgeEndpoint } from '../../src/contract/tunnel.ts'
import { type Api, createApi, linkSend, part } from '../../src/http/index.ts'
import { silentLog } from '../../src/lib/log.ts'
import { dialLink, type Link, tlsDialler } from '../../src/link/index.ts'
import type { PanelWorld } from './panel.ts'

interface EdgeContexts extends Contexts {
  peer: object
}

/** For tests alone: an edge that speaks the whole contract with a panel over a real link, and serves nobody. */
export class FakeEdge implements AsyncDisposable {
  readonly id: string
  readonly link: Link
  readonly panel: Client<typeof edgeToPanel>
  /** What the panel told it to cut off. */
  readonly revoked: Revocation[]
  /** What it was told that workspaces may do. */
  readonly limits: Map<string, WorkspaceLimits>
  /** The edges that it was told of. */
  readonly edges: EdgeEndpoint[]
  /** How much it was told to log. */
  readonly logLevels: LogLevelOrder[]
  readonly #api: Api

  private constructor(
    id: string,
    link: Link,
    api: Api,
    told: Pick<FakeEdge, 'revoked' | 'limits' | 'edges' | 'logLevels'>,
  ) {
    this.id = id
    this.link = link
    this.#api = api
    this.revoked = told.revoked
    this.limits = told.limits
    this.edges = told.edges
    this.logLevels = told.logLevels
    this.panel = createClient(edgeToPanel, { baseUrl: '', send: linkSend(() => link) })
  }

  static async register(world: PanelWorld, name: string, hello: Partial<typeof facts> = {}): Promise<FakeEdge> {
    const { edgeId, credential } = await world.panel.registerLocalEdge(name)
    return FakeEdge.connect(world, edgeId, credential.reveal(), hello)
  }

  /** Rejects with a `LinkError` when the panel refuses. */
  static async connect(
    world: PanelWorld,
    id: string,
    credential: string,
    hello: Partial<typeof facts> = {},
  ): Promise<FakeEdge> {
    const revoked: Revocation[] = []
    const limits = new Map<string, WorkspaceLimits>()
    const edges: EdgeEndpoint[] = []
    const logLevels: LogLevelOrder[] = []
    const api = await createApi<EdgeContexts>({
      prefix: '',
      cors: false,
      log: silentLog,
      gate: { admit: () => ({}) },
      parts: [
        part<typeof panelToEdge, EdgeContexts>(panelToEdge, {
          setLimits({ body }) {
            limits.set(body.workspaceId, body.limits)
            return {}
          },
          regrant: () => ({}),
          setEdges({ body }) {
            edges.splice(0, edges.length, ...body.edges)
            return {}
          },
          setPanels: () => ({}),
          setLogLevel({ body }) {
            logLevels.push(body)
            return {}
          },
          offerAnswer: () => ({}),
          withdrawAnswer: () => ({}),
          revoke({ body }) {
            revoked.push(body.revocation)
            return { closed: 1 }
          },
        }),
      ],
    })
    try {
      const link = await dialLink({
        dialler: tlsDialler({ host: '127.0.0.1', port: world.panel.port, pin: world.panel.pin }),
        hello: { role: 'edge', version: 1, credential, software: 'fake', ...facts, ...hello },
        events: { onStream: (stream) => api.serve(stream) },
        log: silentLog,
      })
      return new FakeEdge(id, link, api, { revoked, limits, edges, logLevels })
    } catch (error) {
      await api[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.close('the test is over')
    await this.link.closed
    await this.#api[Symbol.asyncDispose]()
  }
}

const facts = {
  host: 'edge.example.org',
  base: 'tunnels.example.org',
  scheme: 'http' as const,
  httpPort: 4680,
  linkPort: 4680,
  pin: 'pin-of-the-edge',
  ports: { first: 30_000, last: 30_004 },
  udp: true,
  minecraftPort: 25_565 as number | null,
  region: 'default',
  understands: [] as string[],
}
