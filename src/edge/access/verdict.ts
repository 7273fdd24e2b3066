import type { FieldChanges } from '../../contract/access-rules.ts'
import type { ProblemMessage, VisitorProblem } from '../errors.ts'
import type { Room } from '../ingress/body-peek.ts'
import type { RequestHead } from '../ingress/http-head.ts'
import type { Person } from './person.ts'

/** A request, as far as rules ask. */
export interface JudgedRequest {
  readonly head: RequestHead
  /** The visitor's. */
  readonly address: string
  readonly scheme: 'http' | 'https'
  /** gRPC and WebSockets are no places for pages. */
  readonly grpc: boolean
  /**
   * Waits for all of the body, which the service gets all the same.
   * @throws HttpRefusal when it is larger than so many bytes, or broken.
   */
  body(bytesMax: number, room: Room): Promise<Buffer>
}

/** Why somebody was let in: looked at again whenever the rules change. */
export interface Admission {
  readonly address: string
  /** By name and hash: a password that is changed lets nobody stay. */
  readonly user: { readonly name: string; readonly hash: string } | null
  readonly person: Person | null
  readonly signed: boolean
}

/** Of whoever came while there were no rules. */
export const admittedByNobody = (address: string): Admission => ({ address, user: null, person: null, signed: false })

/** What becomes of a request. */
export type Verdict =
  | {
      readonly kind: 'admitted'
      readonly admission: Admission
      /** The fields that the service gets, in place of the head's. */
      readonly fields: string
      /** What is done to the answer's fields. */
      readonly response: FieldChanges | null
    }
  | { readonly kind: 'refused'; readonly problem: VisitorProblem }
  /** The edge itself has something to say. */
  | { readonly kind: 'answered'; readonly message: ProblemMessage }

export const refused = (problem: VisitorProblem): Verdict => ({ kind: 'refused', problem })

/** A page or a redirect of the edge's own. */
export const answered = (status: number, fields: [name: string, value: string][], page = ''): Verdict => ({
  kind: 'answered',
  message: {
    status,
    fields: [
      ...fields,
      ...(page === '' ? [] : [['Content-Type', 'text/html; charset=utf-8'] as [string, string]]),
      ['Content-Length', String(Buffer.byteLength(page))],
      ['Cache-Control', 'no-store'],
      ['X-Content-Type-Options', 'nosniff'],
      ['Referrer-Policy', 'no-referrer'],
      [
        'Content-Security-Policy',
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'",
      ],
    ],
    body: Buffer.from(page),
  },
})

/** A target of this host as a whole address: `//elsewhere.example` is a path, and must not become a host. */
export const addressOf = ({ head, scheme }: Pick<JudgedRequest, 'head' | 'scheme'>, target: string): string =>
  `${scheme}://${head.authority}${target.replace(/[^\x21-\x7e]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)}`
