import { asBrowser, type Visited, visitAt } from './access-world.ts'

/** As much of a browser as signing in needs: cookies by host, redirects, and forms. */
export class CookieBrowser {
  readonly #port: number
  /** By host and port: names and values. */
  readonly #jars = new Map<string, Map<string, string>>()

  /** @param port where every host of tunnels is found. */
  constructor(port: number) {
    this.#port = port
  }

  cookies(host: string): Map<string, string> {
    const known = this.#jars.get(host) ?? new Map<string, string>()
    this.#jars.set(host, known)
    return known
  }

  /** One request, without following where it leads. */
  async ask(url: string, headers: Record<string, string> = asBrowser, form?: Record<string, string>): Promise<Visited> {
    const { host, hostname, port, pathname, search } = new URL(url)
    const jar = this.cookies(host)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const visited = await visitAt(hostname.endsWith('localhost') ? this.#port : Number(port), hostname, {
      path: `${pathname}${search}`,
      headers: {
        ...headers,
        ...(cookie && { cookie }),
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(form && { method: 'POST', body: new URLSearchParams(form).toString() }),
    })
    for (const set of visited.headers['set-cookie'] ?? []) {
      const [pair = ''] = set.split(';')
      const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(set)) jar.delete(name)
      else jar.set(name, value)
    }
    return visited
  }

  /** Follows redirects from here; resolves to the page that they end at, and all addresses on the way. */
  async go(url: string, form?: Record<string, string>): Promise<Visited & { way: string[] }> {
    const way = [url]
    let visited = await this.ask(url, asBrowser, form)
    for (let hops = 0; visited.headers.location !== undefined; hops++) {
      if (hops > 10) throw new Error(`too many redirects: ${way.join(' ')}`)
      const next = new URL(visited.headers.location, way.at(-1)).href
      way.push(next)
      visited = await this.ask(next)
    }
    return { ...visited, way }
  }

  /** Goes to a page that asks to sign in at the tests' provider, and does so. */
  async signIn(url: string, login: string): Promise<Visited & { way: string[] }> {
    let page = await this.go(url)
    // It asks for the login, and then whether the client may know who that is.
    for (let step = 0; step < 3; step++) {
      const action = /<form[^>]*action="([^"]+)"/.exec(page.body)?.[1]
      const prompt = /name="prompt" value="([^"]+)"/.exec(page.body)?.[1]
      if (action === undefined || prompt === undefined) break
      page = await this.go(new URL(action, page.way.at(-1)).href, { prompt, login, password: login })
    }
    return page
  }
}
