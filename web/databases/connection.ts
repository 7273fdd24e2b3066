export interface ConnectionFacts {
  host: string
  port: number
  database: string
  username: string
}

/** What most programs take instead of five fields. Without `password` it is the same with none in it. */
export function connectionString({ host, port, database, username }: ConnectionFacts, password?: string): string {
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
  const at = host.includes(':') ? `[${host}]` : host
  return `mysql://${encodeURIComponent(username)}${secret}@${at}:${port}/${encodeURIComponent(database)}`
}
