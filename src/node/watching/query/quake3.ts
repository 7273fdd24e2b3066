import type { Answer } from './answer.ts'
import { byDatagrams } from './conversation.ts'

/** The status of Quake 3 and the many games made of it. */
export function askQuake3(port: number, signal: AbortSignal): Promise<Answer> {
  return byDatagrams(port, signal, async ({ send, next }) => {
    send(Buffer.from('\xff\xff\xff\xffgetstatus\n', 'latin1'))
    for (;;) {
      const reply = (await next()).toString('latin1')
      if (!reply.startsWith(replyHead)) continue
      const [settings = '', ...players] = reply.slice(replyHead.length).split('\n')
      const values = valuesOf(settings)
      const names = players.flatMap((player) => /^-?\d+ -?\d+ "(.*)"$/.exec(player)?.[1] ?? [])
      return {
        online: names.length,
        max: Number(values.get('sv_maxclients') ?? Number.NaN),
        names: names.map(uncoloured),
        description: uncoloured(values.get('sv_hostname') ?? ''),
        version: values.get('version') ?? null,
      }
    }
  })
}

const replyHead = '\xff\xff\xff\xffstatusResponse\n'

/** `\name\value\name\value` */
function valuesOf(settings: string): Map<string, string> {
  const words = settings.split('\\').slice(1)
  const values = new Map<string, string>()
  for (let at = 0; at + 1 < words.length; at += 2) values.set(words[at] ?? '', words[at + 1] ?? '')
  return values
}

const uncoloured = (text: string): string => text.replace(/\^[0-9A-Za-z]/g, '')
