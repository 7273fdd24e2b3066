/** The path of an operation with its parameters and query filled in, each encoded. */
export function pathOf(pattern: string, params: Record<string, unknown>, query: Record<string, unknown>): string {
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[name]
    if (value === undefined || value === '') throw new TypeError(`${pattern} needs the parameter ${name}`)
    return encodeSegment(String(value))
  })
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) pairs.set(name, String(value))
  const text = pairs.toString()
  return text ? `${path}?${text}` : path
}

/** `.` and `..` would be resolved away by the URL parser, so that a parameter could name another route. */
function encodeSegment(value: string): string {
  if (value === '.' || value === '..') throw new TypeError(`A path parameter cannot be ${JSON.stringify(value)}`)
  return encodeURIComponent(value)
}
