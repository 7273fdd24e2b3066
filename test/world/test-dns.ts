import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type Socket as Connection, createServer, type Server } from 'node:net'
import dnsPacket from 'dns-packet'
import { reservePort } from '../ports.ts'

type Kind = 'A' | 'AAAA' | 'CNAME' | 'TXT'

/** A name server of the tests, which panels and authorities ask in place of the internet's. */
export class TestDns implements AsyncDisposable {
  readonly port: number
  /** What was asked, `TXT _pharos-verify.app.example.org`. */
  readonly asked: string[] = []
  /** While it is set nothing is answered but that it failed. */
  failing = false
  readonly #socket: Socket
  readonly #server: Server
  readonly #records = new Map<string, string[]>()
  #zone: { name: string; port: number } | null = null

  private constructor(socket: Socket, server: Server, port: number) {
    this.#socket = socket
    this.#server = server
    this.port = port
    server.on('connection', (visitor) => this.#serve(visitor))
    socket.on('message', (message, { port: from, address }) => {
      void this.#answer(message).then((answer) => socket.send(answer, from, address))
    })
  }

  static async start(): Promise<TestDns> {
    const port = await reservePort()
    const socket = createSocket('udp4')
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    return new TestDns(socket, server, port)
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  set(kind: Kind, name: string, ...values: string[]): void {
    if (values.length === 0) this.#records.delete(`${kind} ${name}`)
    else this.#records.set(`${kind} ${name}`, values)
  }

  /** One more beside those that are there. */
  add(kind: Kind, name: string, value: string): void {
    this.set(kind, name, ...(this.#records.get(`${kind} ${name}`) ?? []), value)
  }

  /** TXT records below this name are those of another server, where aliases lead to. */
  delegate(name: string, port: number): void {
    this.#zone = { name, port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#socket.close()
    await once(this.#socket, 'close')
  }

  /** Over TCP each message has its length before it. */
  #serve(visitor: Connection): void {
    let input = Buffer.alloc(0)
    visitor.on('error', () => undefined)
    visitor.on('data', async (part: Buffer) => {
      input = Buffer.concat([input, part])
      if (input.length < 2 || input.length < 2 + input.readUInt16BE(0)) return
      const answer = await this.#answer(input.subarray(2, 2 + input.readUInt16BE(0)))
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      visitor.end(Buffer.concat([length, answer]))
    })
  }

  async #answer(message: Buffer): Promise<Buffer> {
    const { id = 0, questions = [] } = dnsPacket.decode(message)
    const [question] = questions
    const name = question?.name.toLowerCase() ?? ''
    const kind = question?.type ?? ''
    this.asked.push(`${kind} ${name}`)
    const answers = this.failing ? [] : await this.#find(kind, name)
    return dnsPacket.encode({
      type: 'response',
      id,
      // Authoritative and recursive; 2: the server failed.
      flags: 0x0580 | (this.failing ? 2 : 0),
      questions,
      answers,
    })
  }

  /** As a resolver does it: an alias is followed, whatever was asked for. */
  async #find(kind: string, name: string): Promise<dnsPacket.Answer[]> {
    const alias =
      this.#records.get(`CNAME ${name}`)?.[0] ?? this.#records.get(`CNAME *${name.slice(name.indexOf('.'))}`)?.[0]
    if (alias !== undefined)
      return [
        { type: 'CNAME', name, data: alias, ttl: 0 },
        ...(kind === 'CNAME' ? [] : await this.#find(kind, alias.toLowerCase())),
      ]
    if (kind === 'TXT' && this.#zone && name.endsWith(`.${this.#zone.name}`))
      return this.#forward(name, this.#zone.port)
    const values = this.#records.get(`${kind} ${name}`) ?? []
    return values.map((data): dnsPacket.Answer => {
      if (kind === 'TXT') return { type: 'TXT', name, data: [data], ttl: 0 }
      return { type: kind === 'AAAA' ? 'AAAA' : 'A', name, data, ttl: 0 }
    })
  }

  async #forward(name: string, port: number): Promise<dnsPacket.Answer[]> {
    const socket = createSocket('udp4')
    try {
      const reply = once(socket, 'message')
      socket.send(
        dnsPacket.encode({ type: 'query', id: 1, flags: 0, questions: [{ type: 'TXT', name }] }),
        port,
        '127.0.0.1',
      )
      const [message] = (await reply) as [Buffer]
      return dnsPacket.decode(message).answers ?? []
    } finally {
      socket.close()
    }
  }
}
