import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMap, isSeq, parseDocument } from 'yaml'
import { z } from 'zod'
import { Port } from '../../../contract/fields.ts'
import { writeFileAtomic } from '../../../lib/fs.ts'
import { command, UsageError } from '../../command.ts'
import { nameFrom } from '../../names/name-source.ts'
import { facts } from '../../output.ts'
import { findProject, nameOf, projectFileName, readProject } from '../../project-file.ts'
import { askedFor, tunnelFlags, tunnelOptions } from './asking.ts'

/** Others who work on the project read it, too; it holds no secret. */
const fileMode = 0o644

export const linkProject = command({
  path: 'link',
  summary: `Write down in ${projectFileName} where this project’s tunnels belong, and what they are`,
  description: `Makes ${projectFileName} here, or changes the one of this folder or the nearest above: this panel and workspace, and with a port a tunnel in place of one of the same name. It holds no secret; commit it. "pharos open" then opens all of it, "pharos open web" one of them, and "pharos run" takes its only name and port from it.`,
  args: [['[port]', 'the local port of a tunnel to add']],
  flags: tunnelFlags,
  examples: [
    'pharos link 3000 --as web',
    'pharos link 3000 --from branch',
    'pharos link 25565 --minecraft --as survival',
    'pharos link',
  ],
  options: z.object({ port: z.coerce.number().pipe(Port).optional(), ...tunnelOptions }),
  async run({ port, ...flags }, { connect, out, cwd, env }) {
    if (port === undefined && (flags.as ?? flags.from) !== undefined)
      throw new UsageError('Which port? pharos link 3000 --as web')
    if (flags.as !== undefined && flags.from !== undefined)
      throw new UsageError('A tunnel has one name: choose --as or --from.')
    const path = (await findProject(cwd, env))?.path ?? join(cwd, projectFileName)
    const { url, client } = await connect()
    const { slug } = await client.workspace()
    const text = await readFile(path, 'utf8').catch(() => '')
    // A file of comments alone keeps them.
    const document = parseDocument(isMap(parseDocument(text).contents) ? text : `${text}panel:\n`)
    document.set('panel', new URL(url).origin)
    document.set('workspace', slug)
    if (port !== undefined) {
      const asked = askedFor(flags, flags.as ?? (flags.from ? await nameFrom(flags.from, cwd) : `port-${port}`), port)
      const entry = document.createNode(entryOf(asked, flags.from))
      const tunnels = document.get('tunnels')
      if (isSeq(tunnels)) {
        const same = tunnels.items.findIndex(
          (item) => isMap(item) && (flags.from ? item.get('from') === flags.from : item.get('name') === asked.name),
        )
        if (same === -1) tunnels.add(entry)
        else tunnels.items[same] = entry
      } else document.set('tunnels', document.createNode([entry]))
    } else if (!document.has('tunnels')) document.set('tunnels', document.createNode([]))
    await writeFileAtomic(path, document.toString(), fileMode)
    const project = await readProject(path)
    const tunnels: { name: string; kind: string; local: string }[] = []
    for (const one of project.file.tunnels)
      tunnels.push({ name: await nameOf(project, one), kind: one.kind, local: `${one.host}:${one.port}` })
    out.result({ file: path, panel: new URL(url).origin, workspace: slug, tunnels }, () =>
      facts([
        ['file', path],
        ['panel', new URL(url).origin],
        ['workspace', slug],
        ['tunnels', tunnels.map(({ name, local }) => `${name} -> ${local}`).join(', ') || 'none yet'],
      ]),
    )
  },
})

/** What differs from what is taken without it. */
function entryOf(asked: ReturnType<typeof askedFor>, from: string | undefined): Record<string, unknown> {
  const { name, kind, host, http2, pool, ...rest } = asked
  return {
    ...(from === undefined ? { name } : { from }),
    ...(kind !== 'http' && { kind }),
    ...(host !== 'localhost' && { host }),
    ...(http2 && { http2 }),
    ...(pool && { pool }),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  }
}
