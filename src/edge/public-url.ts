/** `http://web.acme.localhost:4680`; the scheme's own port is left out. */
export function httpUrl(scheme: 'http' | 'https', host: string, port: number): string {
  return `${scheme}://${host}${port === (scheme === 'http' ? 80 : 443) ? '' : `:${port}`}`
}

/** `tcp://play.example.org:25565` */
export function tcpUrl(host: string, port: number): string {
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
}
