/**
 * What `{{…}}` may mean in an egg. Only what stands here is ever filled in: a placeholder that reached into the configuration
 * of a node once gave away its secret in another panel.
 */
const meanings: Readonly<Record<string, string>> = {
  'server.build.default.port': 'SERVER_PORT',
  'server.allocations.default.port': 'SERVER_PORT',
  'server.build.default.ip': 'SERVER_IP',
  'server.allocations.default.ip': 'SERVER_IP',
  'server.build.memory': 'SERVER_MEMORY',
  'server.build.memory_limit': 'SERVER_MEMORY',
  'server.memory': 'SERVER_MEMORY',
  'server.uuid': 'SERVER_ID',
  'server.id': 'SERVER_ID',
  'server.name': 'SERVER_NAME',
  'config.docker.interface': 'HOST_ADDRESS',
  'config.docker.network.interface': 'HOST_ADDRESS',
  SERVER_PORT: 'SERVER_PORT',
  SERVER_IP: 'SERVER_IP',
  SERVER_MEMORY: 'SERVER_MEMORY',
  P_SERVER_UUID: 'SERVER_ID',
}

/** Where variables are found. */
const variablePlaces = ['server.build.env.', 'server.build.environment.', 'server.environment.', 'env.', '']

/**
 * The text with placeholders as templates have them, `{{NAME}}`.
 * @param names the egg's variables; @param unknown told of each placeholder that means nothing here and stays as it is written.
 */
export function translated(text: string, names: ReadonlySet<string>, unknown: (placeholder: string) => void): string {
  return text.replace(/\$?\{\{\s*([A-Za-z0-9_.[\]-]{1,200})\s*\}\}/g, (whole, inner: string) => {
    const name = meaningOf(inner, names)
    if (name === null) {
      unknown(whole)
      return whole
    }
    return `{{${name}}}`
  })
}

function meaningOf(inner: string, names: ReadonlySet<string>): string | null {
  for (const place of variablePlaces) {
    if (!inner.startsWith(place)) continue
    const name = inner.slice(place.length)
    if (names.has(name)) return name
    const meaning = Object.hasOwn(meanings, name) && !name.includes('.') ? meanings[name] : undefined
    if (meaning !== undefined) return meaning
    // Eggs are careless about case; the variable that is meant has one of its own.
    const alike =
      place === '' && inner.includes('.')
        ? undefined
        : [...names].find((each) => each.toLowerCase() === name.toLowerCase())
    if (alike !== undefined) return alike
  }
  return Object.hasOwn(meanings, inner) ? (meanings[inner] ?? null) : null
}
