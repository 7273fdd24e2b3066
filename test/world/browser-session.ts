import assert from 'node:assert/strict'
import { TOTP, URI } from 'otpauth'

/** A reply, whatever its shape. */
export interface Answer {
  status: number
  // biome-ignore lint/suspicious/noExplicitAny: replies of many shapes
  body: any
  /** The session that it began, as the `Cookie` header has it; empty for none. */
  cookie: string
}

/** Asks as a browser does on a page of the panel at `origin`, which is where the panel is unless given. */
export async function asBrowser(
  api: string,
  cookie: string,
  method: string,
  path: string,
  body?: unknown,
  origin = new URL(api).origin,
): Promise<Answer> {
  const reply = await fetch(api + path, {
    method,
    headers: {
      ...(cookie === '' ? {} : { cookie }),
      origin,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const set = (reply.headers.get('set-cookie') ?? '').split(';')[0] ?? ''
  return { status: reply.status, body: await reply.json(), cookie: set }
}

/** An account's authenticator app and its sheet of recovery codes. */
export interface App {
  /** What it shows at that moment, in ms since 1970. */
  code(at: number): string
  recoveryCodes: string[]
}

/** Turns the second factor on, as the account's page does. Uses the code of `now` up. */
export async function turnOnSecondFactor(api: string, cookie: string, password: string, now: number): Promise<App> {
  const begun = await asBrowser(api, cookie, 'POST', '/account/two-factor', { password })
  assert.equal(begun.status, 200, JSON.stringify(begun.body))
  const app = URI.parse(begun.body.url)
  assert.ok(app instanceof TOTP)
  const code = (at: number): string => app.generate({ timestamp: at })
  const confirmed = await asBrowser(api, cookie, 'POST', '/account/two-factor/confirm', { code: code(now) })
  assert.equal(confirmed.status, 200, JSON.stringify(confirmed.body))
  return { code, recoveryCodes: confirmed.body.recoveryCodes }
}
