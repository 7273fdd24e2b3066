import { createTransport } from 'nodemailer'
import type { Log } from '../../lib/log.ts'
import type { Secret } from '../../lib/secret.ts'
import type { Rates } from '../rates/index.ts'
import { answerWaitMs, lettersPerHourMax, letterWindowMs, sendersMax, sendWaitMs } from './limits.ts'

export interface MailConfig {
  host: string
  port: number
  /** `starttls` and `tls` never fall back to sending in the clear. */
  security: 'starttls' | 'tls' | 'none'
  user?: string | undefined
  /** The sender's address. */
  from: string
}

/** Plain text: nothing in it is looked at as markup, whoever chose the names in it. */
export interface Letter {
  to: string
  subject: string
  text: string
}

/** `off`: no mail server is configured. `limited`: its sender has had too many sent. Everything but `sent` means that nothing was sent for sure. */
export type Delivery = 'sent' | 'failed' | 'limited' | 'off'

/** Sends letters. Disposing it ends those that are on their way. */
export interface Post extends Disposable {
  /** Never rejects: what a letter says must not be lost with it. `senderId` is who caused it. */
  send(senderId: string, letter: Letter): Promise<Delivery>
}

export interface PostOptions {
  config: MailConfig | null
  password: Secret | undefined
  rates: Pick<Rates, 'limit'>
  log: Log
}

export function createPost({ config, password, rates, log }: PostOptions): Post {
  if (!config) return { send: async () => 'off', [Symbol.dispose]: () => undefined }
  const { host, port, security, user, from } = config
  const sent = rates.limit({ name: 'letters', windowMs: letterWindowMs, keysMax: sendersMax })
  const closing = new AbortController()
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user === undefined ? {} : { auth: { user, pass: password?.reveal() ?? '' } }),
    dnsTimeout: answerWaitMs,
    connectionTimeout: answerWaitMs,
    greetingTimeout: answerWaitMs,
    socketTimeout: answerWaitMs,
    // A letter is text: nothing of it may ever name a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send(senderId, { to, subject, text }) {
      if (!(await sent.take(senderId, lettersPerHourMax)).allowed) return 'limited'
      const deadline = AbortSignal.any([AbortSignal.timeout(sendWaitMs), closing.signal])
      try {
        await Promise.race([
          transport.sendMail({
            from: { name: 'Pharos', address: from },
            // An address by itself is never read as a list of several.
            to: { name: '', address: to },
            subject: subject.replace(lineBreaks, ' '),
            text,
            headers: { 'Auto-Submitted': 'auto-generated' },
          }),
          new Promise<never>((_, reject) => {
            const onLate = (): void => reject(new Error('the mail server took too long'))
            if (deadline.aborted) onLate()
            else deadline.addEventListener('abort', onLate, { once: true })
          }),
        ])
        return 'sent'
      } catch (error) {
        log.warn({ host, port, reason: reasonOf(error, password) }, 'a letter could not be sent')
        return 'failed'
      }
    },
    [Symbol.dispose]() {
      closing.abort()
      transport.close()
    },
  }
}

const lineBreaks = /[\r\n]+/g

/** What a mail server says may repeat what it was told. */
function reasonOf(error: unknown, password: Secret | undefined): string {
  const words = error instanceof Error ? error.message : String(error)
  const secret = password?.reveal()
  return secret ? words.replaceAll(secret, '***') : words
}
