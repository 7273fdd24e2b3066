import { z } from 'zod'
import type { Agent, AgentEvent, EdgeTransport } from '../../../agent/index.ts'
import { AppError } from '../../../contract/errors.ts'
import { Port, TunnelName } from '../../../contract/fields.ts'
import { inlineSchema } from '../../../contract/json-schemas.ts'
import type { Tool, ToolCall } from '../../../mcp/index.ts'
import { localTools } from '../../../mcp/instructions.ts'
import { CommandError, type Connection } from '../../command.ts'
import { inWords, linkToEdges } from '../tunnels/forwarding.ts'
import { wantedOf } from '../tunnels/requests.ts'

/** How long an edge may take to open a tunnel before the agent is told what is known, in ms: a dial, a retry, and some air. */
const openWaitMs = 30_000

const Expose = z.strictObject({
  port: Port.meta({ description: 'The port on this machine' }),
  name: TunnelName.optional().meta({
    description: 'Of the tunnel: web becomes the host name web.<workspace>.<edge>. port-<port> without it',
  }),
  kind: z.enum(['http', 'tcp', 'udp', 'tls', 'minecraft']).default('http').meta({
    description:
      'http: by host name. tcp and udp: a port of the edge. tls: by host name, the service has the certificate. minecraft: Java Edition, by host name',
  }),
})
const Exposed = z.strictObject({
  name: z.string(),
  tunnel: z.string().meta({ description: 'Its id: what list_requests and close_tunnel take' }),
  url: z.string().meta({ description: 'Where visitors reach it' }),
  local: z.string(),
})
type Exposed = z.output<typeof Exposed>
const Stop = z.strictObject({ name: TunnelName })
const Stopped = z.strictObject({ name: z.string(), stopped: z.literal(true) })

/** Ports of this machine that are on the internet for as long as this program runs. */
export class ExposedPorts implements AsyncDisposable {
  readonly tools: readonly Tool[]
  readonly #connection: Connection
  readonly #transport: EdgeTransport
  readonly #open = new Map<string, { wanted: string; exposed: Exposed }>()
  #agent: Promise<Agent> | undefined

  constructor(connection: Connection, transport: EdgeTransport) {
    this.#connection = connection
    this.#transport = transport
    this.tools = [
      {
        definition: {
          name: localTools.expose,
          title: 'Expose port',
          description:
            'Put a port of this machine on the internet, until it is stopped or this program ends. Anybody who knows the address can reach it: expose only what the person you work for wants to be public. Needs `tunnels.open` in the workspace.',
          ...schemasOf(Expose, Exposed),
          annotations: {
            title: 'Expose port',
            readOnlyHint: false,
            destructiveHint: false,
            idempotentHint: true,
            openWorldHint: true,
          },
        },
        access: { workspace: 'tunnels.open' },
        run: async (input, call) => ({ data: await this.#expose(parsed(Expose, input), call) }),
      },
      {
        definition: {
          name: localTools.stop,
          title: 'Stop exposing port',
          description:
            'Take a port of this machine off the internet that expose_port has put there. Its name stays kept for the workspace: close_tunnel gives it up.',
          ...schemasOf(Stop, Stopped),
          annotations: {
            title: 'Stop exposing port',
            readOnlyHint: false,
            destructiveHint: false,
            idempotentHint: true,
            openWorldHint: false,
          },
        },
        access: { workspace: 'tunnels.open' },
        run: async (input) => ({ data: await this.#stop(parsed(Stop, input).name) }),
      },
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const agent = await this.#agent?.catch(() => undefined)
    await agent?.[Symbol.asyncDispose]()
  }

  async #expose(
    { port, kind, name = `port-${port}` }: z.output<typeof Expose>,
    { signal }: ToolCall,
  ): Promise<Exposed> {
    const wanted = `${kind} ${port}`
    const known = this.#open.get(name)
    if (known?.wanted === wanted) return known.exposed
    const agent = await this.#linked()
    const opened = Promise.withResolvers<{ tunnelId: string; url: string }>()
    let last = 'no edge has answered yet'
    const stop = agent.events.on((event) => {
      if (event.type === 'up' || event.type === 'down') last = inWords(event)
      if (!('id' in event) || event.id !== name) return
      if (event.type === 'opened') opened.resolve(event)
      else if (event.type === 'closed' || (event.type === 'refused' && event.retryMs === null))
        opened.reject(new AppError('conflict', inWords(event)))
      else last = inWords(event)
    })
    const giveUp = (): void => opened.reject(signal.reason)
    signal.addEventListener('abort', giveUp, { once: true })
    const timer = setTimeout(
      () =>
        opened.reject(
          new AppError('conflict', `${name} is not open after ${openWaitMs / 1000} seconds: ${last}. Try it again.`),
        ),
      openWaitMs,
    )
    try {
      agent.add(wantedOf({ name, kind, port, host: 'localhost' }))
      const { tunnelId, url } = await opened.promise
      const exposed = { name, tunnel: tunnelId, url, local: `localhost:${port}` }
      this.#open.set(name, { wanted, exposed })
      return exposed
    } catch (error) {
      agent.remove(name)
      this.#open.delete(name)
      throw error
    } finally {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #stop(name: string): Promise<z.output<typeof Stopped>> {
    if (!this.#open.delete(name))
      throw new AppError(
        'conflict',
        `No port of this machine is exposed as ${name} by this program. It exposes: ${[...this.#open.keys()].join(', ') || 'none'}.`,
      )
    const agent = await this.#linked()
    agent.remove(name)
    return { name, stopped: true }
  }

  /** One agent for all of them, linked when the first is asked for; another try where that came to nothing. */
  #linked(): Promise<Agent> {
    this.#agent ??= linkToEdges(this.#connection, {
      tunnels: [],
      transport: this.#transport,
      onEvent: (event) => this.#onEvent(event),
    }).catch((error: unknown) => {
      this.#agent = undefined
      throw error instanceof CommandError ? new AppError('conflict', error.message) : error
    })
    return this.#agent
  }

  #onEvent(event: AgentEvent): void {
    if (event.type === 'closed') this.#open.delete(event.id)
  }
}

/** Made by the schema library as JSON, which its type does not say. */
const schemasOf = (input: z.ZodType, output: z.ZodType) => ({
  inputSchema: inlineSchema(input) as Tool['definition']['inputSchema'],
  outputSchema: inlineSchema(output, 'output') as NonNullable<Tool['definition']['outputSchema']>,
})

function parsed<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const { success, data, error } = schema.safeParse(input)
  if (success) return data
  const details = error.issues.map(({ path, message }) => ({
    where: path.join('.') || 'input',
    problem: `does not fit: ${message}`,
  }))
  throw new AppError('invalid_request', 'The input does not fit', { details })
}
