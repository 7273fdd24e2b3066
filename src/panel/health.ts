import { sql } from 'kysely'
import type { FastifyInstance } from '../http/index.ts'
import type { Database } from './db/index.ts'

/** Null where the panel serves as it should, else what does not, in words that reveal nothing of the installation. */
export type Readiness = () => Promise<string | null>

/** How long the database may take to answer the smallest of questions, in ms. */
const databaseWaitMs = 2_000

/** How long an answer is given again, in ms: whoever asks often must not cost a query each time. */
const rememberedMs = 1_000

/** The database answers. Migrations are done and links are accepted before anybody can ask: a panel listens last. */
export function panelReadiness({ kysely }: Database): Readiness {
  let asked: { at: number; answer: Promise<string | null> } | null = null
  const ask = async (): Promise<string | null> => {
    const late = Promise.withResolvers<string>()
    const timer = setTimeout(() => late.resolve('the database does not answer'), databaseWaitMs)
    try {
      const query = sql`select 1`.execute(kysely).then(
        () => null,
        () => 'the database does not answer',
      )
      return await Promise.race([query, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
  return () => {
    const now = performance.now()
    if (!asked || now - asked.at > rememberedMs) asked = { at: now, answer: ask() }
    return asked.answer
  }
}

/** `/healthz`: it lives. `/readyz`: it serves, and what about it is not as it should be. For load balancers and containers, beside the pages. */
export function healthRoutes(app: FastifyInstance, readiness: Readiness, problem: () => string | null): void {
  app.get('/healthz', (_request, reply) => reply.type('text/plain').header('cache-control', 'no-store').send('ok\n'))
  app.get('/readyz', async (_request, reply) => {
    const why = await readiness()
    return reply
      .code(why === null ? 200 : 503)
      .type('text/plain')
      .header('cache-control', 'no-store')
      .send(
        why === null
          ? ['ready', problem() ?? []]
              .flat()
              .map((line) => `${line}\n`)
              .join('')
          : `${why}\n`,
      )
  })
}
