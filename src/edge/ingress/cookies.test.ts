import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepCookiesHome } from './cookies.ts'

const base = 'tunnels.example.org'
const home = (line: string): string => keepCookiesHome(`${line}\r\n`, base).trimEnd()

test('a cookie for the base of all tunnels, or above it, stays with the host that set it', () => {
  for (const domain of [base, `.${base}`, 'Example.ORG', '.example.org', 'org', `"${base}"`, ` ${base} `, `${base}.`])
    assert.equal(home(`Set-Cookie: a=b; Path=/; Domain=${domain}; Secure`), 'Set-Cookie: a=b; Path=/; Secure', domain)
  assert.equal(home(`SET-COOKIE: a=b;domain=${base};DOMAIN=example.org`), 'SET-COOKIE: a=b')
})

test('other cookies and other fields are not touched', () => {
  for (const line of [
    'Set-Cookie: a=b; Path=/; HttpOnly',
    `Set-Cookie: a=b; Domain=web.acme.${base}`,
    `Set-Cookie: a=b; Domain=acme.${base}`,
    `Set-Cookie: domain=${base}; Path=/`,
    'Set-Cookie: a=b; Domain=; Path=/',
    'Set-Cookie: a=b; Domain',
    `Set-Cookie: a=b; Domain=not${base}`,
    `X-Note: Set-Cookie: a=b; Domain=${base}`,
    `Location: https://${base}/;domain=${base}`,
  ])
    assert.equal(home(line), line)
})

test('each of several lines is judged by itself', () => {
  const fields = `Set-Cookie: a=1; Domain=${base}\r\nServer: x\r\nSet-Cookie: b=2; Domain=acme.${base}\r\n`
  assert.equal(
    keepCookiesHome(fields, base),
    `Set-Cookie: a=1\r\nServer: x\r\nSet-Cookie: b=2; Domain=acme.${base}\r\n`,
  )
})
