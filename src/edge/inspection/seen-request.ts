import type { OutgoingHttpHeaders } from 'node:http2'
import type { SeenMessage, SeenRequest, SeenRequestFacts } from '../../contract/edge-inspection.ts'
import { replayHeader } from '../../contract/tunnel-capture.ts'
import type { BodyFraming, RequestHead } from '../ingress/http-head.ts'
import { CapturedBody } from './captured-body.ts'
import { entryBytes, methodCharsMax, targetCharsMax } from './limits.ts'
import type { LiveConnection } from './live-connection.ts'
import type { Redaction } from './redaction.ts'

/** The head of a request, as an ingress has read it. */
export interface RequestStart {
  head: RequestHead
  protocol: SeenRequestFacts['protocol']
  /** How its visitor has come. */
  scheme: 'http' | 'https'
  webSocket: boolean
  /** It needs HTTP/2 all the way. */
  grpc: boolean
  replayOf: string | null
  /** Of what `requestBody` is given; null where that is the body itself. */
  framing: BodyFraming | null
  /** Of both bodies so much is kept, whatever the tunnel keeps of others. */
  bodyBytes?: number
}

/** What was kept of a request beside what is told of each. */
export interface Contents {
  /** The fields that the service gets, without those in which the edge tells of the visitor. */
  readonly fields: string
  readonly requestBody: CapturedBody
  /** All of it has come, as far as is known. */
  requestWhole: boolean
  responseFields: string | null
  responseBody: CapturedBody | null
}

/** What keeps a request, and wants to know of its growth. */
export interface Keeper {
  /** 0: no bodies; null: no contents at all. */
  readonly contentBytes: number | null
  readonly now: () => number
  /** It costs so much more memory than it did. */
  grown(request: KeptRequest, bytes: number): void
  /** There is something new to be told of it. */
  changed(request: KeptRequest): void
}

/**
 * One request and its answer, as they pass: whoever passes them on says so here, with the bytes that were there anyway. Without full capture
 * that costs a few additions.
 */
export class KeptRequest {
  readonly number: number
  readonly at: number
  readonly address: string
  readonly protocol: SeenRequestFacts['protocol']
  readonly scheme: 'http' | 'https'
  readonly webSocket: boolean
  readonly grpc: boolean
  readonly replayOf: string | null
  readonly method: string
  readonly host: string
  readonly target: string
  readonly targetCut: boolean
  /** Null without full capture, and once that is revoked. */
  contents: Contents | null
  /** What it takes in memory. */
  cost: number
  /** Which of the tunnel's changes was its last. */
  change = 0
  bytesIn = 0
  bytesOut = 0
  #status: number | null = null
  #problem: string | null = null
  #answeredAfterMs: number | null = null
  #tookMs: number | null = null
  readonly #startedAt = performance.now()
  readonly #keeper: Keeper
  readonly #bodyBytes: number
  readonly #connection: LiveConnection | null

  constructor(number: number, start: RequestStart, address: string, connection: LiveConnection | null, keeper: Keeper) {
    const { head } = start
    this.number = number
    this.#keeper = keeper
    this.#connection = connection
    this.at = keeper.now()
    this.address = address
    this.protocol = start.protocol
    this.scheme = start.scheme
    this.webSocket = start.webSocket
    this.grpc = start.grpc
    this.replayOf = start.replayOf
    const bodyBytes = start.bodyBytes ?? keeper.contentBytes
    this.#bodyBytes = bodyBytes ?? 0
    this.targetCut = bodyBytes === null && head.target.length > targetCharsMax
    this.method = copyOf(head.method.slice(0, methodCharsMax))
    this.host = copyOf(head.authority)
    this.target = copyOf(this.targetCut ? head.target.slice(0, targetCharsMax) : head.target)
    this.contents =
      bodyBytes === null
        ? null
        : {
            fields: copyOf(head.fields),
            requestBody: new CapturedBody(bodyBytes, start.framing),
            requestWhole: head.body.kind === 'none',
            responseFields: null,
            responseBody: null,
          }
    this.cost = entryBytes + this.target.length + this.host.length + (this.contents?.fields.length ?? 0)
    if (connection) connection.requests++
  }

  get open(): boolean {
    return this.#tookMs === null
  }

  /** Bytes that came from the visitor. */
  in(bytes: number): void {
    this.bytesIn += bytes
    this.#connection?.in(bytes)
  }

  /** Bytes that went to the visitor. */
  out(bytes: number): void {
    this.bytesOut += bytes
    this.#connection?.out(bytes)
  }

  /** A piece of the body, as it came: in HTTP/1 with its framing. */
  requestBody(part: Buffer): void {
    if (this.contents) this.#add(this.contents.requestBody, part)
  }

  /** The whole body has come. */
  requestEnded(): void {
    if (this.contents) this.contents.requestWhole = true
  }

  /**
   * The head of the answer.
   * @param fields in HTTP/1 text; asked for only where it is kept.
   * @param framing of what `responseBody` is given; null where that is the body itself.
   */
  answered(status: number, fields: () => string, framing: BodyFraming | null): void {
    this.#status = status
    this.#answeredAfterMs = this.#passedMs()
    const { contents } = this
    if (contents) {
      contents.responseFields = copyOf(fields())
      contents.responseBody = new CapturedBody(this.#bodyBytes, framing)
      this.#grow(contents.responseFields.length)
    }
    this.#keeper.changed(this)
  }

  responseBody(part: Buffer): void {
    if (this.contents?.responseBody) this.#add(this.contents.responseBody, part)
  }

  /** The exchange is over; the first one to say so is believed. Idempotent. */
  end(): void {
    if (this.#tookMs !== null) return
    this.#tookMs = this.#passedMs()
    this.#keeper.changed(this)
  }

  /**
   * It is over before it should be. Idempotent.
   * @param status what the visitor is told, where they are told something.
   */
  fail(problem: string, status: number | null): void {
    if (this.#tookMs !== null) return
    this.#problem = problem
    this.#status ??= status
    this.end()
  }

  /** Forgets headers and bodies. @returns what that makes free. */
  dropContents(): number {
    const { contents } = this
    if (!contents) return 0
    this.contents = null
    const freed =
      contents.fields.length +
      contents.requestBody.cost +
      (contents.responseFields?.length ?? 0) +
      (contents.responseBody?.cost ?? 0)
    this.cost -= freed
    return freed
  }

  /** @param targetChars so much of the target is told. */
  facts(run: string, redaction: Redaction, targetChars = targetCharsMax): SeenRequestFacts {
    const target = redaction.target(this.target)
    return {
      id: `${run}${this.number.toString(36)}`,
      at: this.at,
      address: this.address,
      protocol: this.protocol,
      webSocket: this.webSocket,
      method: this.method,
      host: this.host,
      target: target.slice(0, targetChars),
      targetCut: this.targetCut || target.length > targetChars,
      status: this.#status,
      state: this.open ? 'open' : this.#problem === null ? 'done' : 'failed',
      problem: this.#problem,
      answeredAfterMs: this.#answeredAfterMs,
      tookMs: this.#tookMs,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      captured: this.contents !== null,
      replayOf: this.replayOf,
    }
  }

  /** With what was kept of it. */
  whole(run: string, redaction: Redaction): SeenRequest {
    const facts = this.facts(run, redaction, Number.POSITIVE_INFINITY)
    const { contents } = this
    if (!contents) return { facts, request: null, response: null }
    const { fields, requestBody, responseFields, responseBody } = contents
    return {
      facts,
      request: message(fields, requestBody, redaction),
      response: responseFields === null || !responseBody ? null : message(responseFields, responseBody, redaction),
    }
  }

  #add(body: CapturedBody, part: Buffer): void {
    const before = body.cost
    body.add(part)
    if (body.cost !== before) this.#grow(body.cost - before)
  }

  #grow(bytes: number): void {
    this.cost += bytes
    this.#keeper.grown(this, bytes)
  }

  #passedMs(): number {
    return Math.round((performance.now() - this.#startedAt) * 10) / 10
  }
}

/** Headers of HTTP/2 as fields of HTTP/1, for people to read. */
export function headerText(headers: OutgoingHttpHeaders): string {
  let text = ''
  for (const [name, value] of Object.entries(headers))
    if (!name.startsWith(':'))
      for (const one of Array.isArray(value) ? value : [value])
        text += `${name}: ${String(one).replace(/[\r\n]/g, ' ')}\r\n`
  return text
}

const message = (fields: string, body: CapturedBody, redaction: Redaction): SeenMessage => ({
  // Its value is ours, and known.
  headers: redaction.headers(fields).filter(({ name }) => name.toLowerCase() !== replayHeader.toLowerCase()),
  body: { base64: body.kept.toString('base64'), bytes: body.bytes, cut: body.cut },
})

/** A text of its own: a part of a longer one keeps all of that in memory, unless it is so short that it is copied anyway. */
const copyOf = (text: string): string =>
  text.length < ownTextChars ? text : Buffer.from(text, 'latin1').toString('latin1')

/** V8 copies shorter parts. */
const ownTextChars = 13
