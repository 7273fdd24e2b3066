import type { MadeRequest } from '../api/requests.ts'

/** A request as a command for a shell. The key comes from the environment, so that no history holds it. */
export function curlOf({ method, path, body }: MadeRequest, origin: string): string {
  const lines = [`curl ${method === 'GET' ? '' : `-X ${method} `}${quoted(origin + path)}`]
  lines.push('-H "Authorization: Bearer $PHAROS_API_KEY"')
  if (body !== undefined) lines.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`)
  return lines.join(' \\\n  ')
}

/** In single quotes nothing means anything to a shell but the quote itself. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
