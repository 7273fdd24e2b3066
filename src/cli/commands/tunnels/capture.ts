import { z } from 'zod'
import { CaptureSettings, captureModes } from '../../../contract/tunnel-capture.ts'
import { command, UsageError } from '../../command.ts'
import { bytes, facts } from '../../output.ts'
import { tunnelIdOf } from './captured-requests.ts'

const { shape } = CaptureSettings

export const captureRequests = command({
  path: 'capture',
  summary: 'Show or say what is kept of a tunnel’s requests, and for how long',
  description:
    'It is kept in the memory of the edges alone. Full capture holds what visitors send and get: headers and bodies. Turning it down erases what may not be kept any more.',
  args: [
    ['<tunnel>', 'its name or id'],
    ['[mode]', 'off: nothing; metadata: who asked for what, and how it went; full: with headers and bodies'],
  ],
  flags: [
    ['--requests <count>', 'how many are kept'],
    ['--bytes <bytes>', 'how much memory they may take together'],
    ['--minutes <minutes>', 'how long each is kept'],
    ['--body-bytes <bytes>', 'how much of each body'],
    ['--redact-header <name...>', 'hide these headers, too; replaces those named before'],
    ['--redact-parameter <name...>', 'hide these parameters of queries, too; replaces those named before'],
    ['--erase', 'forget every request that is kept now'],
  ],
  examples: [
    'pharos capture web',
    'pharos capture web full --minutes 30 --redact-header X-Tenant',
    'pharos capture web metadata',
    'pharos capture web --erase',
  ],
  options: z.object({
    tunnel: z.string().min(1),
    mode: z.enum(captureModes).optional(),
    requests: z.coerce.number().pipe(shape.requests.unwrap()).optional(),
    bytes: z.coerce.number().pipe(shape.bytes.unwrap()).optional(),
    minutes: z.coerce
      .number()
      .transform((minutes) => Math.round(minutes * 60))
      .pipe(shape.keptSeconds.unwrap())
      .optional(),
    bodyBytes: z.coerce.number().pipe(shape.bodyBytes.unwrap()).optional(),
    redactHeader: shape.redactHeaders.unwrap().optional(),
    redactParameter: shape.redactParameters.unwrap().optional(),
    erase: z.boolean().default(false),
  }),
  async run({ tunnel: name, mode, minutes, redactHeader, redactParameter, erase, ...bounds }, { connect, out }) {
    const connection = await connect()
    const params = { tunnel: await tunnelIdOf(connection, name) }
    const given = {
      ...(mode !== undefined && { mode }),
      ...(minutes !== undefined && { keptSeconds: minutes }),
      ...(redactHeader !== undefined && { redactHeaders: redactHeader }),
      ...(redactParameter !== undefined && { redactParameters: redactParameter }),
      ...Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined)),
    }
    const changes = Object.keys(given).length > 0
    if (erase && changes) throw new UsageError('--erase: stands alone; say what is to be kept in a call of its own')
    if (erase) {
      const erased = await connection.client.eraseTunnelRequests({ params })
      return out.result(erased, () => `${erased.erased} requests are forgotten.`)
    }
    const before = await connection.client.tunnelCapture({ params })
    const settings = changes
      ? await connection.client.setTunnelCapture({ params, body: { ...before, ...given } })
      : before
    out.result(settings, () =>
      facts([
        ['mode', settings.mode],
        ['requests', String(settings.requests)],
        ['memory', bytes(settings.bytes)],
        ['kept for', `${settings.keptSeconds / 60} minutes`],
        ['of each body', bytes(settings.bodyBytes)],
        ['hidden headers', settings.redactHeaders.join(', ') || null],
        ['hidden parameters', settings.redactParameters.join(', ') || null],
      ]),
    )
  },
})
