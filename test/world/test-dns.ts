import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
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
  readonly #records = new Map<string, string[]>()
  #zone: { name: string; port: number } | null = null

  private constructor(socket: Socket, port: number) {
    this.#socket = socket
    this.port = port
    socket.on('message', (message, { port: from, address }) => {
      void this.#answer(message).then((answer) => socket.send(answer, from, address))
    })
  }

  static async start(): Promise<TestDns> {
    const port = await reservePort()
    const socket = createSocket('udp4')
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    return new TestDns(socket, port)
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  set(kind: Kind, name: string, ...values: string[]): void {
    if (values.length === 0) this.#records.delete(`${kind} ${name}`)
    else this.#records.set(`${kind} ${name}`, values)
  }

  /** TXT records below this name are those of another server, where aliases lead to. */
  delegate(name: string, port: number): void {
    this.#zone = { name, port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close()
    await once(this.#socket, 'close')
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
