import { createHash } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { conflict } from '../../contract/errors.ts'
import type { ServerSpec } from '../../contract/node.ts'
import { fileModeHeader, type nodeFileOperations, type nodeFileTransfers } from '../../contract/node-files.ts'
import type { Contexts, Handlers, TransferHandlers } from '../../contract/operation.ts'
import { ranged } from '../../http/index.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Quotas } from '../quota/index.ts'
import { type Runtime, serverFiles } from '../runtime.ts'
import { measureDisk } from '../stats/disk.ts'
import type { Servers } from '../supervisor/servers.ts'
import { compress, folderArchive } from './compress.ts'
import { decompress } from './decompress.ts'
import { ProtectedFiles } from './protected.ts'
import { Pulls } from './pull.ts'
import { Scratch } from './scratch.ts'
import { readChunks, ServerFiles } from './server-files.ts'
import { Space } from './space.ts'
import { uploadPart } from './uploads.ts'
import { watchSpace } from './watch.ts'

export interface NodeFilesOptions {
  dataDir: string
  runtime: Runtime
  servers: Servers
  quotas: Quotas
  clock: Clock
  log: Log
  /** Which addresses URLs may lead to: public ones unless given. */
  isReachable?: (address: string) => boolean
}

/** The files of all servers of this node. */
export interface NodeFiles extends AsyncDisposable {
  operations: Handlers<typeof nodeFileOperations, Contexts>
  transfers: TransferHandlers<typeof nodeFileTransfers, Contexts>
  /** Of one server; `conflict` where this node does not have it. */
  of(server: string): Promise<ServerFiles>
}

interface Entry {
  files: ServerFiles
  pulls: Pulls
}

/** Opens the files of this node's servers and begins to watch how large they are. */
export function openNodeFiles(options: NodeFilesOptions): NodeFiles {
  const { dataDir, runtime, servers, quotas, clock, log } = options
  const closing = new AbortController()
  const entries = new Map<string, Promise<Entry>>()

  const open = async (id: string): Promise<Entry> => {
    const folder = join(dataDir, 'servers', id)
    const owner = await runtime.prepare(folder)
    const path = join(folder, serverFiles.data)
    const space = new Space({
      limitBytes: () => servers.get(id).spec.resources.disk * 1024 * 1024,
      measure: () => measureDisk(path, closing.signal),
    })
    const { home } = runtime.places({ folder, shared: null })
    const scratch = new Scratch(folder, (made) => quotas.cover({ folder, owner }, made))
    const files = new ServerFiles({
      ...{ root: { path, home, owner, protectedFiles: protectedBy(() => servers.get(id)) }, scratch, space, runtime },
      refuseChanges() {
        const server = servers.get(id)
        if (server.spec.held)
          throw conflict(`The files of server ${server.spec.name} cannot be changed now: ${server.spec.held.why}`)
        if (server.state().phase === 'restoring')
          throw conflict(
            `A backup is being restored into server ${server.spec.name}; change its files when that has ended`,
          )
      },
    })
    return { files, pulls: new Pulls(files, clock, options.isReachable) }
  }
  const entryOf = async (id: string): Promise<Entry> => {
    if (!servers.specs().some((spec) => spec.id === id))
      throw conflict(`Server ${id} is not on its node yet. Try again in a moment.`)
    const entry = entries.get(id) ?? open(id)
    entries.set(id, entry)
    // What could not be opened is tried again.
    entry.catch(() => entries.delete(id))
    return entry
  }
  const of = async (id: string): Promise<ServerFiles> => (await entryOf(id)).files

  const stopListening = servers.events.on((event) => {
    if (event.type !== 'removed') return
    const gone = entries.get(event.id)
    entries.delete(event.id)
    void gone?.then(({ pulls }) => pulls[Symbol.asyncDispose]()).catch(() => undefined)
  })
  const watch = watchSpace({
    ...{ clock, log },
    async freeBytes() {
      const { bfree, bsize } = await statfs(dataDir)
      return bfree * bsize
    },
    running: async () => {
      const active = servers.list().filter(({ phase }) => activePhases.has(phase))
      return Promise.all(
        active.map(async ({ id, phase }) => ({
          id,
          space: (await of(id)).space,
          stopping: phase === 'stopping',
          note: (text: string) => servers.get(id).console.note(text),
          end: (how: 'stop' | 'kill', why: string) => servers.get(id).endFor(how, why),
        })),
      )
    },
  })

  return {
    of,
    operations: {
      listFiles: async ({ params, query }) => (await of(params.server)).list(query.path, query.limit, query.after),
      statFile: async ({ params, query }) => (await of(params.server)).stat(query.path),
      async createFolder({ params, body }) {
        await (await of(params.server)).createFolder(body.path)
        return {}
      },
      async renameFile({ params, body }) {
        await (await of(params.server)).rename(body.from, body.to)
        return {}
      },
      async copyFile({ params, body, request }) {
        await (await of(params.server)).copy(body.from, body.to, request.signal)
        return {}
      },
      async deleteFile({ params, body }) {
        await (await of(params.server)).delete(body.path)
        return {}
      },
      async chmodFile({ params, body }) {
        await (await of(params.server)).chmod(body.path, body.mode)
        return {}
      },
      compressFiles: async ({ params, body, request }) =>
        compress(await of(params.server), {
          root: body.root,
          names: body.files,
          name: body.name,
          signal: request.signal,
        }),
      decompressFile: async ({ params, body, request }) =>
        decompress(await of(params.server), { ...body, signal: request.signal }),
      searchFiles: async ({ params, query }) => (await of(params.server)).search(query.path, query.query),
      async space({ params }) {
        const { space } = await of(params.server)
        await space.refresh()
        const enforcement = quotas.holds(join(dataDir, 'servers', params.server)) ? 'quota' : 'watched'
        return { usedBytes: space.usedBytes, limitBytes: space.limitBytes, enforcement }
      },
      pullFile: async ({ params, body }) => (await entryOf(params.server)).pulls.start(body.url, body.path),
      pulls: async ({ params }) => (await entryOf(params.server)).pulls.list(),
    },
    transfers: {
      async readFile({ params, query, request }) {
        const file = await (await of(params.server)).openFile(query.path)
        const facts = await file.stat({ bigint: true })
        const close = () => file.close()
        return ranged(
          {
            sizeBytes: Number(facts.size),
            etag: `"${facts.ino.toString(36)}-${facts.mtimeNs.toString(36)}-${facts.size.toString(36)}"`,
            modifiedAt: Number(facts.mtimeMs),
            async *open(first, last) {
              try {
                yield* readChunks(file, first, last)
              } finally {
                await close()
              }
            },
            discard: close,
          },
          request,
          {
            'content-type': 'application/octet-stream',
            [fileModeHeader]: (Number(facts.mode) & 0o777).toString(8),
          },
        )
      },
      async archiveFolder({ params, query }) {
        const files = await of(params.server)
        const excluded = await files.protectedIn(query.path)
        const content = folderArchive(await files.openFolder(query.path), excluded)
        return { headers: { 'content-type': 'application/gzip' }, content }
      },
      async writeFile({ params, query, request, content }) {
        const files = await of(params.server)
        const expected = Number(request.header('content-length') ?? 0)
        const { ifMatch } = query
        return files.write(query.path, content, {
          overwrite: true,
          expectedBytes: Number.isSafeInteger(expected) && expected > 0 ? expected : 0,
          ...(ifMatch === undefined
            ? {}
            : {
                check: async (existing) => {
                  const hash = createHash('sha256')
                  if (existing) for await (const chunk of readChunks(existing)) hash.update(chunk)
                  if (!existing || hash.digest('hex') !== ifMatch)
                    throw conflict('The file has changed since you read it. Read it again, then write.')
                },
              }),
        })
      },
      uploadPart: async ({ params, query, content }) =>
        uploadPart(
          await of(params.server),
          {
            id: params.upload,
            path: query.path,
            offset: query.offset,
            total: query.total ?? null,
            overwrite: query.overwrite === 'true',
            content,
          },
          clock.now(),
        ),
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      stopListening()
      await watch[Symbol.asyncDispose]()
      for (const entry of entries.values()) {
        const ready = await entry.catch(() => null)
        await ready?.pulls[Symbol.asyncDispose]()
      }
    },
  }
}

/** What the server's template protects at this moment. */
function protectedBy(server: () => { spec: Pick<ServerSpec, 'template'> }): () => ProtectedFiles | null {
  let known: { patterns: readonly string[]; found: ProtectedFiles | null } = { patterns: none, found: null }
  return () => {
    const patterns = server().spec.template.egg?.fileDenylist ?? none
    if (patterns !== known.patterns) known = { patterns, found: ProtectedFiles.of(patterns) }
    return known.found
  }
}

const none: readonly string[] = []
const activePhases: ReadonlySet<string> = new Set(['starting', 'running', 'stopping'])
