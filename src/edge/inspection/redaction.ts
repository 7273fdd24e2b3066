import type { CapturedHeader } from '../../contract/edge-inspection.ts'
import { type CaptureSettings, redactedMark } from '../../contract/tunnel-capture.ts'

/** Hides what proves who somebody is. What is kept in memory is whole, so that it can be sent again; what leaves the edge is not. */
export class Redaction {
  readonly #headers: ReadonlySet<string>
  readonly #parameters: ReadonlySet<string>

  constructor({ redactHeaders, redactParameters }: Pick<CaptureSettings, 'redactHeaders' | 'redactParameters'>) {
    this.#headers = new Set([...secretHeaders, ...redactHeaders.map((name) => name.toLowerCase())])
    this.#parameters = new Set(redactParameters.map(plain))
  }

  /** Of head fields in HTTP/1 text, each with its line end. */
  headers(fields: string): CapturedHeader[] {
    return pairsOf(fields).map(({ name, value }) => {
      const lower = name.toLowerCase()
      if (this.#headers.has(lower)) return { name, value: redactedMark, redacted: true }
      if (!urlHeaders.has(lower)) return { name, value, redacted: false }
      const shown = this.target(value)
      return { name, value: shown, redacted: shown !== value }
    })
  }

  /** Of a path with its query, or a whole URL. */
  target(target: string): string {
    const begin = target.indexOf('?')
    if (begin === -1) return target
    const end = target.indexOf('#', begin)
    const query = target.slice(begin + 1, end === -1 ? undefined : end)
    const shown = query
      .split('&')
      .map((part) => {
        const equals = part.indexOf('=')
        return equals > 0 && equals < part.length - 1 && this.#isSecret(part.slice(0, equals))
          ? `${part.slice(0, equals + 1)}${redactedMark}`
          : part
      })
      .join('&')
    return `${target.slice(0, begin + 1)}${shown}${end === -1 ? '' : target.slice(end)}`
  }

  /** The target that somebody has edited who has seen the redacted one: what was hidden is put back. */
  restoredTarget(edited: string, original: string): string {
    if (edited === this.target(original)) return original
    const begin = edited.indexOf('?')
    if (begin === -1 || !edited.includes(redactedMark)) return edited
    const hidden = new Map<string, string>()
    for (const part of original.slice(original.indexOf('?') + 1).split('&')) {
      const equals = part.indexOf('=')
      if (equals > 0 && this.#isSecret(part.slice(0, equals))) hidden.set(part.slice(0, equals), part)
    }
    const restored = edited
      .slice(begin + 1)
      .split('&')
      .map((part) =>
        part.endsWith(`=${redactedMark}`) ? (hidden.get(part.slice(0, part.indexOf('='))) ?? part) : part,
      )
    return `${edited.slice(0, begin + 1)}${restored.join('&')}`
  }

  /** The fields that somebody has edited who has seen the redacted ones, in HTTP/1 text: what was hidden is put back, in order of its name. */
  restoredFields(edited: readonly Pick<CapturedHeader, 'name' | 'value'>[], original: string): string {
    const shown = this.headers(original)
    const hidden = pairsOf(original).map((pair, index) => ({ ...pair, shown: shown[index]?.value }))
    let text = ''
    for (const { name, value } of edited) {
      const at = value.includes(redactedMark)
        ? hidden.findIndex((one) => one.name.toLowerCase() === name.toLowerCase() && one.shown === value)
        : -1
      const [found] = at === -1 ? [] : hidden.splice(at, 1)
      text += `${name}: ${found ? found.value : value}\r\n`
    }
    return text
  }

  #isSecret(name: string): boolean {
    const word = plain(decoded(name))
    return this.#parameters.has(word) || secretParameters.has(word) || secretEndings.some((end) => word.endsWith(end))
  }
}

const secretHeaders = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'set-cookie2',
  'x-api-key',
  'api-key',
  'apikey',
  'x-auth-token',
  'x-access-token',
  'x-csrf-token',
  'x-xsrf-token',
  'x-amz-security-token',
  'x-goog-api-key',
  'x-vault-token',
  'private-token',
]

/** They hold addresses, and those may hold keys. */
const urlHeaders: ReadonlySet<string> = new Set(['referer', 'location', 'content-location', 'refresh', 'link'])

/** Without case, hyphens and underscores. */
const secretParameters: ReadonlySet<string> = new Set([
  'key',
  'auth',
  'authorization',
  'code',
  'jwt',
  'pass',
  'passwd',
  'passphrase',
  'pwd',
  'sid',
  'sig',
  'session',
  'sessionid',
  'xamzcredential',
])
const secretEndings = ['token', 'secret', 'password', 'signature', 'apikey', 'accesskey', 'privatekey', 'credential']

const plain = (name: string): string => name.toLowerCase().replace(/[-_.[\]]/g, '')

/** As far as it can be: what cannot is no name that a service would know either. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function pairsOf(fields: string): { name: string; value: string }[] {
  return fields
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':')
      return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() }
    })
}
