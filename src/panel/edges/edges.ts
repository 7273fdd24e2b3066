import type { z } from 'zod'
import { ApiError, type Client, createClient } from '../../client/index.ts'
import type { EdgeDetails } from '../../contract/api/tunnels.ts'
import {
  type ChallengeAnswer,
  type EdgeHello,
  type OpenTunnel,
  panelToEdge,
  type Revocation,
} from '../../contract/edge.ts'
import { edgeInspection } from '../../contract/edge-inspection.ts'
import { conflict, notFound } from '../../contract/errors.ts'
import type { PanelEndpoint } from '../../contract/join-token.ts'
import type { LogLevelOrder } from '../../contract/log-level.ts'
import { type Api, linkSend } from '../../http/index.ts'
import { type Clock, isoTime } from '../../lib/clock.ts'
import { newId } from '../../lib/ids.ts'
import { hashSecret, newSecret, Secret } from '../../lib/secret.ts'
import { type Greeted, type Link, LinkError } from '../../link/index.ts'
import type { Change, Changes, EdgeRow } from '../db/index.ts'
import type { Plans } from '../plans/index.ts'
import type { Tunnels } from '../tunnels/index.ts'
import { answerEdge, type EdgeAnswerOptions, type EdgeNews } from './answers.ts'
import { type ConnectedEdge, type EdgeDirectory, type EdgeFacts, knownEdge } from './directory.ts'
import { Quotas } from './quotas.ts'
import {
  deleteEdge,
  edgeByCredential,
  edgeById,
  edgeByMachine,
  edgeNamed,
  insertEdge,
  nodeStands,
  saveCredential,
  saveHello,
  workspaceSuspended,
} from './store.ts'

/** The links of edges: who they are, what they ask, and what they are told. */
export interface Edges extends AsyncDisposable {
  /** Accepts an edge's link, or throws `LinkError` `unauthorized`. */
  greet(hello: EdgeHello, from: { remoteAddress: string }): Promise<Greeted>
  /** Tells every connected edge to cut somebody off. One that is away asks about everybody again when it comes back. */
  revoke(revocation: Revocation, reason: string): Promise<void>
  /** Every edge that is here, to be asked about the visitors of tunnels. */
  inspected(): { edgeId: string; client: Client<typeof edgeInspection> }[]
  /** Where a tunnel is open at this moment, as the edges last told, with the connections of all of them. */
  openTunnel(tunnelId: string): OpenTunnel | null
  /** Registers an edge. Throws `conflict` when the name is taken. */
  create(name: string): Promise<{ id: string; credential: Secret }>
  /** Forgets an edge and ends its link. Throws `not_found`. */
  remove(id: string): Promise<void>
  /**
   * An edge in this very process: made on first use, then the same; its credential is new each time, the one before stops working.
   * @param name what it is called where nobody else is called that
   * @param machine whose it is, where several panels may have such an edge; without it the name alone says which.
   * `adopts` takes one of that name that no machine has yet
   */
  local(name: string, machine?: { id: string; adopts: boolean }): Promise<{ edgeId: string; credential: Secret }>
  /** What is known of an edge, by its id or name. Throws `not_found`. */
  details(idOrName: string): Promise<z.input<typeof EdgeDetails>>
  /** Tells an edge how much to log; false while it is not here. Rejects with `ApiError` where it could not be told. */
  setLogLevel(id: string, order: LogLevelOrder): Promise<boolean>
  /** Every edge that is here learns which panels there are. */
  tellPanels(): void
  /** Every edge answers this to certificate authorities, those that come later too, until it is taken back. */
  offerAnswer(answer: ChallengeAnswer): Promise<void>
  /** Idempotent. */
  withdrawAnswer(token: string): Promise<void>
}

export interface EdgesOptions extends EdgeAnswerOptions {
  directory: EdgeDirectory
  changes: Changes
  clock: Clock
  tunnels: Pick<Tunnels, 'claim' | 'stands'>
  plans: Plans
  /** Where people reach the panel. */
  publicUrl(): string
  /** Every panel of this installation; none where there cannot be others. */
  panels(): readonly PanelEndpoint[]
}

interface Held {
  link: Link
  edge: ConnectedEdge
  credentialHash: string
  /** Which edges it was told of last, as JSON. */
  toldEdges: string
}

/** An edge that does not take an order within this time is as good as away, in milliseconds. */
const orderTimeoutMs = 5_000

export function createEdges(options: EdgesOptions): Edges {
  const { database, directory, changes, clock, tunnels, log } = options
  /** The links of this panel, by edge. */
  const links = new Map<string, Held>()
  /** One per edge that was ever here; they hold no connection of their own. */
  const apis = new Map<string, Promise<Api>>()
  const running = new Set<Promise<void>>()

  const inBackground = (what: string, work: () => Promise<void>): void => {
    const task = work().catch((error: unknown) => log.warn({ err: error }, what))
    running.add(task)
    void task.then(() => running.delete(task))
  }

  /** Gives an order to every edge that is here. */
  const order = (what: string, give: (client: Client<typeof panelToEdge>, edge: ConnectedEdge) => Promise<unknown>) =>
    Promise.all(
      [...links.values()].map(async ({ link, edge }) => {
        const client = createClient(panelToEdge, { baseUrl: '', send: linkSend(() => link) })
        try {
          await give(client, edge)
        } catch (error) {
          // An edge that cannot be told must not go on as if it had been: coming back, it asks about everybody.
          log.warn({ err: error, edge: edge.id }, `an edge did not take an order (${what}); its link is closed`)
          link.close('an order was not taken')
        }
      }),
    )
  const inTime = () => ({ signal: AbortSignal.timeout(orderTimeoutMs) })

  const tellEdges = async (): Promise<void> => {
    const listed = directory.listed()
    await order('edges', async (client, edge) => {
      const edges = listed
        .filter(({ facts }) => facts.region === edge.facts.region)
        .map(({ facts: { host, linkPort, pin } }) => ({ host, port: linkPort, pin }))
      const text = JSON.stringify(edges)
      const held = links.get(edge.id)
      if (!held || held.edge !== edge || held.toldEdges === text) return
      held.toldEdges = text
      await client.setEdges({ body: { edges } }, inTime())
    })
  }

  const tellPanels = async (): Promise<void> => {
    const panels = [...options.panels()]
    if (panels.length === 0) return
    await order('panels', async (client) => {
      try {
        await client.setPanels({ body: { panels } }, inTime())
      } catch (error) {
        // An older edge knows those that its settings name.
        if (!(error instanceof ApiError && error.code === 'not_found')) throw error
      }
    })
  }

  /** What edges answer to certificate authorities at the moment, by token. */
  const answers = new Map<string, ChallengeAnswer>()
  /** An older edge answers none. */
  const unlessOlder = async (told: Promise<unknown>): Promise<void> => {
    try {
      await told
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 'not_found')) throw error
    }
  }

  const quotas = new Quotas({
    database,
    plans: options.plans,
    log,
    async tell(workspaceId, limits) {
      await order('limits', (client, { facts }) => {
        // An edge that cannot warn visitors must not serve them; it is refused these tunnels from now on.
        if (limits.warningKey !== undefined && !facts.understands?.includes('warning'))
          return client.revoke({ body: { revocation: { of: 'workspace', workspaceId }, reason: tooOld } }, inTime())
        return client.setLimits({ body: { workspaceId, limits } }, inTime())
      })
    },
  })
  const news: EdgeNews = {
    reported: (workspaceIds) => void quotas.check(workspaceIds),
    draining(edge) {
      edge.draining = true
      log.info({ edge: edge.id, name: edge.name }, 'an edge is draining')
      inBackground('that an edge is draining could not be passed on', () =>
        changes.publish({ of: 'edge', id: edge.id }),
      )
    },
  }

  const revoke = async (revocation: Revocation, reason: string): Promise<void> => {
    await order('revocation', (client) => client.revoke({ body: { revocation, reason } }, inTime()))
  }

  const follow = async (change: Change): Promise<void> => {
    const store = database.kysely
    switch (change.of) {
      case 'token':
        return revoke({ of: 'key', keyId: change.id }, 'The key was revoked or has expired')
      case 'workspace':
        if (await workspaceSuspended(store, change.id))
          await revoke({ of: 'workspace', workspaceId: change.id }, 'The workspace is suspended')
        return
      case 'node':
        if (!(await nodeStands(store, change.id)))
          await revoke({ of: 'node', nodeId: change.id }, 'The node was removed')
        return
      case 'tunnel':
        if (!(await tunnels.stands(change.id)))
          return revoke({ of: 'tunnel', tunnelId: change.id }, 'The tunnel was closed for good')
        await order('names', (client) => client.regrant({ body: { tunnelId: change.id } }, inTime()))
        return
      case 'edge': {
        const held = links.get(change.id)
        if (held && (await edgeById(store, change.id))?.credential_hash !== held.credentialHash)
          held.link.close('the credential of this edge is not valid any more')
        await directory.refresh()
        return tellEdges()
      }
      case 'session':
      case 'log-level':
      case 'user':
      case 'server':
      case 'member':
      case 'subuser':
        return
    }
  }
  const stopListening = changes.on((change) => {
    if (links.size > 0) inBackground('a change could not be passed on to the edges', () => follow(change))
  })

  const newRow = (name: string, credential: string, machine: string | null): EdgeRow => ({
    ...{ id: newId('edge'), name, credential_hash: hashSecret(credential), machine },
    ...{ hello: null, last_seen_at: null, created_at: clock.now() },
  })
  const create = async (name: string): Promise<{ id: string; credential: Secret }> => {
    const credential = newSecret('phe')
    const row = newRow(name, credential, null)
    await database.transact(async (trx) => {
      if (await edgeNamed(trx, name)) throw conflict(`There is an edge called ${name} already`)
      await insertEdge(trx, row)
    })
    await directory.refresh()
    await changes.publish({ of: 'edge', id: row.id })
    return { id: row.id, credential: new Secret(credential) }
  }

  return {
    revoke,
    create,
    inspected: () =>
      [...links.values()].map(({ link, edge }) => ({
        edgeId: edge.id,
        client: createClient(edgeInspection, { baseUrl: '', send: linkSend(() => link) }),
      })),
    async greet({ credential, draining = false, ...facts }, { remoteAddress }) {
      const credentialHash = hashSecret(credential)
      const row = await edgeByCredential(database.kysely, credentialHash)
      if (!row)
        throw new LinkError('unauthorized', 'This panel knows no edge with this credential. Register the edge again.')
      if (facts.ports.first > facts.ports.last) throw new LinkError('refused', 'ports: first must not be above last')
      await saveHello(database.kysely, row.id, JSON.stringify(facts), clock.now())
      const edge: ConnectedEdge = { id: row.id, name: row.name, facts, open: new Map(), draining }
      const asking = (): ConnectedEdge | null => links.get(row.id)?.edge ?? null
      const api = await once(apis, row.id, () => answerEdge(options, asking, news))
      return {
        welcome: { edgeId: row.id, reports: `${options.publicUrl()}/report-abuse` },
        events: {
          onStream(stream, head) {
            if (typeof head === 'object' && head !== null && 'protocol' in head && head.protocol === 'http')
              api.serve(stream)
            else stream.destroy(new LinkError('refused', 'A panel serves http to its edges, nothing else'))
          },
        },
        opened(link) {
          links.get(row.id)?.link.close('the edge has come back over a newer link')
          links.set(row.id, { link, edge, credentialHash, toldEdges: '' })
          quotas.forget()
          directory.add(edge)
          log.info({ edge: row.id, name: row.name, remoteAddress }, 'an edge is here')
          inBackground('an edge could not be announced', async () => {
            // It may have been removed while it was being greeted.
            await follow({ of: 'edge', id: row.id })
            await changes.publish({ of: 'edge', id: row.id })
            await tellPanels()
            const client = createClient(panelToEdge, { baseUrl: '', send: linkSend(() => link) })
            for (const answer of answers.values()) await unlessOlder(client.offerAnswer({ body: answer }, inTime()))
          })
          void link.closed.then((end) => {
            directory.remove(edge)
            if (links.get(row.id)?.link === link) links.delete(row.id)
            log.info({ edge: row.id, name: row.name, reason: end.reason }, 'an edge has gone')
          })
        },
      }
    },
    async details(idOrName) {
      const row = (await edgeById(database.kysely, idOrName)) ?? (await edgeNamed(database.kysely, idOrName))
      if (!row) throw notFound(`Edge ${idOrName}`)
      const here = directory.connected().find(({ id }) => id === row.id)
      const facts = here?.facts ?? knownEdge(row).facts
      const open = [...(here?.open.values() ?? [])]
      return {
        id: row.id,
        name: row.name,
        online: here !== undefined,
        draining: here?.draining ?? false,
        lastLinked: row.last_seen_at === null ? null : isoTime(row.last_seen_at),
        serves: facts && servesOf(facts),
        tunnels: open.length,
        connections: open.reduce((total, { connections }) => total + connections, 0),
        createdAt: isoTime(row.created_at),
      }
    },
    async setLogLevel(id, body) {
      const held = links.get(id)
      if (!held) return false
      const client = createClient(panelToEdge, { baseUrl: '', send: linkSend(() => held.link) })
      await client.setLogLevel({ body }, inTime())
      return true
    },
    tellPanels: () => inBackground('edges could not be told of the panels', tellPanels),
    async offerAnswer(answer) {
      answers.set(answer.token, answer)
      await order('answer', (client) => unlessOlder(client.offerAnswer({ body: answer }, inTime())))
    },
    async withdrawAnswer(token) {
      answers.delete(token)
      await order('answer', (client) => unlessOlder(client.withdrawAnswer({ params: { token } }, inTime())))
    },
    openTunnel(tunnelId) {
      const found = directory.connected().flatMap(({ open }) => open.get(tunnelId) ?? [])
      const [first] = found
      if (!first) return null
      return {
        ...first,
        since: Math.min(...found.map(({ since }) => since)),
        connections: found.reduce((total, { connections }) => total + connections, 0),
      }
    },
    async remove(id) {
      if (!(await deleteEdge(database.kysely, id))) throw notFound(`Edge ${id}`)
      await directory.refresh()
      await changes.publish({ of: 'edge', id })
    },
    async local(name, machine) {
      const credential = newSecret('phe')
      const edgeId = await database.transact(async (trx) => {
        const named = await edgeNamed(trx, name)
        // The file of an SQLite database lies in the machine's own data folder: no other machine has it.
        const mayAdopt = machine?.adopts && (named?.machine === null || database.dialect === 'sqlite')
        const known = machine ? ((await edgeByMachine(trx, machine.id)) ?? (mayAdopt ? named : undefined)) : named
        if (known) {
          await saveCredential(trx, known.id, hashSecret(credential), machine?.id ?? known.machine)
          return known.id
        }
        let free = name
        for (let number = 2; await edgeNamed(trx, free); number++) free = `${name}-${number}`
        const row = newRow(free, credential, machine?.id ?? null)
        await insertEdge(trx, row)
        return row.id
      })
      await directory.refresh()
      await changes.publish({ of: 'edge', id: edgeId })
      return { edgeId, credential: new Secret(credential) }
    },
    async [Symbol.asyncDispose]() {
      stopListening()
      await quotas[Symbol.asyncDispose]()
      for (const { link } of links.values()) link.close('the panel is shutting down')
      await Promise.all(running)
      for (const api of apis.values()) await (await api)[Symbol.asyncDispose]()
    },
  }
}

const servesOf = (facts: EdgeFacts) => {
  const { software, host, base, scheme, httpPort, linkPort, minecraftPort, ports, udp, region, pin } = facts
  return { software, host, base, scheme, httpPort, linkPort, minecraftPort, ports, udp, region, pin }
}

/** Why an edge gives tunnels up whose visitors it cannot warn. */
const tooOld = 'The edge is too old to warn visitors, as the plan of the workspace asks. Upgrade the edge.'

/** The value under `key`, made on first use; one that could not be made is tried again. */
function once<T>(values: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = values.get(key)
  if (known) return known
  const made = make()
  values.set(key, made)
  made.catch(() => values.delete(key))
  return made
}
