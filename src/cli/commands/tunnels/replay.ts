import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { CapturedHeader, ReplayEdits } from '../../../contract/edge-inspection.ts'
import { captureBounds } from '../../../contract/tunnel-capture.ts'
import { CommandError, command, UsageError } from '../../command.ts'
import { requestIdOf, tunnelIdOf, wholeText } from './captured-requests.ts'

export const replayRequest = command({
  path: 'replay',
  summary: 'Send a captured request to the service once more, as it was or edited, and show the answer',
  description:
    'The service sees the header Pharos-Replay. What was hidden is sent as it was, as long as it is not changed.',
  args: [
    ['<tunnel>', 'its name or id'],
    ['<request>', 'as "pharos inspect" names it; "last" is the newest'],
  ],
  flags: [
    ['-X, --method <method>', 'another method'],
    ['--target <target>', 'another path and query'],
    ['-H, --header <header...>', '"Name: value": instead of those of that name, or as one more; "Name:" takes it away'],
    ['-d, --data <text>', 'another body; "-" reads it from standard input'],
    ['--data-file <file>', 'another body, from a file'],
  ],
  examples: [
    'pharos replay web last',
    'pharos replay web k3f9x0q1m51a --target "/hooks?again=1" -H "X-Debug: 1"',
    'pharos replay web last -X POST --data-file payload.json',
  ],
  options: z.object({
    tunnel: z.string().min(1),
    request: z.string().min(1),
    method: z.string().min(1).optional(),
    target: z.string().min(1).optional(),
    header: z.array(z.string()).default([]),
    data: z.string().optional(),
    dataFile: z.string().min(1).optional(),
  }),
  async run({ tunnel: name, request, method, target, header, data, dataFile }, { connect, out, readText, path }) {
    if (data !== undefined && dataFile !== undefined) throw new UsageError('Choose --data or --data-file.')
    const changes = header.map(headerOf)
    const body = dataFile === undefined ? data : path(dataFile)
    const connection = await connect()
    const tunnel = await tunnelIdOf(connection, name)
    const params = { tunnel, request: await requestIdOf(connection, tunnel, request) }
    const edits: ReplayEdits = {
      ...(method !== undefined && { method }),
      ...(target !== undefined && { target }),
    }
    if (changes.length > 0) {
      const { request: kept } = await connection.client.tunnelRequest({ params })
      edits.headers = edited(kept?.headers ?? [], changes)
    }
    if (body !== undefined) {
      const content =
        dataFile !== undefined
          ? await readBody(body)
          : Buffer.from(data === '-' ? await readText(captureBounds.bodyBytesMax) : body)
      edits.bodyBase64 = content.toString('base64')
    }
    const answer = await connection.client.replayTunnelRequest({ params, body: edits })
    out.result(answer, () => wholeText(answer))
    if (answer.state === 'failed' && answer.response === null)
      throw new CommandError(`The service did not answer: ${answer.problem?.replaceAll('_', ' ')}.`)
  },
})

interface HeaderChange {
  name: string
  /** Null: it is taken away. */
  value: string | null
}

function headerOf(text: string): HeaderChange {
  const colon = text.indexOf(':')
  if (colon < 1) throw new UsageError(`--header: must be "Name: value", not "${text}"`)
  const value = text.slice(colon + 1).trim()
  return { name: text.slice(0, colon).trim(), value: value === '' ? null : value }
}

function edited(
  headers: readonly CapturedHeader[],
  changes: readonly HeaderChange[],
): { name: string; value: string }[] {
  const changed = new Set(changes.map(({ name }) => name.toLowerCase()))
  return [
    ...headers.filter(({ name }) => !changed.has(name.toLowerCase())).map(({ name, value }) => ({ name, value })),
    ...changes.flatMap(({ name, value }) => (value === null ? [] : [{ name, value }])),
  ]
}

async function readBody(file: string): Promise<Buffer> {
  let content: Buffer
  try {
    content = await readFile(file)
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message.split('\n')[0]}`)
  }
  if (content.length > captureBounds.bodyBytesMax)
    throw new UsageError(`${file} has ${content.length} bytes; at most ${captureBounds.bodyBytesMax} can be sent.`)
  return content
}
