import type { Socket } from 'node:net'
import type { ServerChannel } from 'ssh2'
import type { SftpAct } from '../../contract/node-sftp.ts'
import type { ServerPermission } from '../../contract/permissions.ts'
import type { Log } from '../../lib/log.ts'
import type { ServerFiles } from '../files/server-files.ts'
import {
  attributesAt,
  attributesOf,
  linkAt,
  listAt,
  makeLink,
  nextEntries,
  openAs,
  removeFile,
  removeFolder,
  replace,
  setAttributes,
  setOpen,
  type Target,
  writeAt,
} from './files.ts'
import type { Growths } from './growth.ts'
import { closeOpened, Handles, type Opened, type OpenFile } from './handles.ts'
import { blockBytesMax, handlesMax, packetBytesMax, repliesWaitingBytesMax } from './limits.ts'
import {
  type Attributes,
  dataAt,
  dataReply,
  type Entry,
  Fields,
  Inbox,
  long,
  Malformed,
  openFlag,
  packet,
  request,
  type Status,
  status,
  trim,
} from './packets.ts'
import { pathOf, realPathOf } from './paths.ts'
import type { Session } from './session.ts'
import { failureOf } from './status.ts'

export interface ChannelOptions {
  channel: ServerChannel
  /** What the connection writes to: it is not filled faster than the client empties it. */
  socket: Socket
  session: Session
  files: ServerFiles
  growths: Growths
  /** Something was asked for. */
  active(): void
  log: Log
}

/** A permission that the session lacks at this moment. */
class Lacking extends Error {
  readonly permission: ServerPermission
  constructor(permission: ServerPermission) {
    super(`This needs ${permission}, which you were not given. Ask the owner of the server.`)
    this.permission = permission
  }
}

/** What is told to whoever watches the server, when a request has ended. */
interface Told {
  operation: SftpAct['operation']
  path: string
}

/**
 * Speaks SFTP on one channel until the client is done, its session ends, or what it sends is no SFTP. One request after the
 * other: the next one is taken when the reply to this one is on its way, so that a client costs no more memory than a few packets.
 */
export async function serveChannel(options: ChannelOptions): Promise<void> {
  await using server = new SftpChannel(options)
  await server.run()
}

class SftpChannel implements AsyncDisposable {
  readonly #channel: ServerChannel
  readonly #socket: Socket
  readonly #session: Session
  readonly #files: ServerFiles
  readonly #target: Target
  readonly #active: () => void
  readonly #log: Log
  readonly #handles = new Handles()
  #greeted = false
  /** What the request at hand does, for the log of activity. */
  #told: Told | null = null

  constructor({ channel, socket, session, files, growths, active, log }: ChannelOptions) {
    this.#channel = channel
    this.#socket = socket
    this.#session = session
    this.#files = files
    this.#target = { files, growths }
    this.#active = active
    this.#log = log
  }

  async run(): Promise<void> {
    const inbox = new Inbox()
    for await (const piece of this.#channel) {
      // A channel gives bytes: it has no encoding.
      inbox.push(piece as Buffer)
      for (let next = inbox.next(); next; next = inbox.next()) {
        if (this.#session.signal.aborted) return
        this.#active()
        await this.#send(await this.#answer(next))
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handles[Symbol.asyncDispose]()
  }

  async #answer(bytes: Buffer): Promise<Buffer> {
    const fields = new Fields(bytes)
    const type = fields.byte()
    if (!this.#greeted) {
      if (type !== request.init) throw new Malformed('no greeting')
      this.#greeted = true
      return packet.version(extensions)
    }
    const id = fields.number()
    this.#told = null
    try {
      return await this.#act(id, type, fields)
    } catch (error) {
      if (error instanceof Malformed) throw error
      if (error instanceof Lacking) {
        this.#tell('forbidden')
        return packet.status(id, status.denied, error.message)
      }
      const { status: code, message, code: word } = failureOf(this.#toldPath, error, this.#log)
      this.#tell(word)
      return packet.status(id, code, message)
    }
  }

  get #toldPath(): string {
    return this.#told?.path ?? ''
  }

  async #act(id: number, type: number, fields: Fields): Promise<Buffer> {
    switch (type) {
      case request.open:
        return this.#open(id, fields.text(), fields.number(), fields.attributes())
      case request.close:
        return this.#close(id, fields.bytes())
      case request.read:
        return this.#read(id, fields.bytes(), fields.long(), fields.number())
      case request.write:
        return this.#write(id, fields.bytes(), fields.long(), fields.bytes())
      case request.lstat:
      case request.stat: {
        this.#need('files.read')
        const path = pathOf(fields.text())
        return packet.attributes(id, await attributesAt(this.#files, path, type === request.stat))
      }
      case request.fstat: {
        this.#need('files.read')
        const opened = this.#handles.get(fields.bytes())
        if (!opened) return unknownHandle(id)
        return packet.attributes(id, attributesOf(await (opened.kind === 'file' ? opened.file : opened.folder).stat()))
      }
      case request.setstat: {
        const path = this.#about('sftpChangeMode', fields.text())
        this.#need('files.write')
        await setAttributes(this.#target, path, fields.attributes())
        return this.#done(id)
      }
      case request.fsetstat:
        return this.#setOpen(id, fields.bytes(), fields.attributes())
      case request.opendir: {
        this.#need('files.read')
        const path = pathOf(fields.text())
        this.#handles.checkRoom()
        return packet.handle(id, this.#handles.add(await listAt(this.#files, path)))
      }
      case request.readdir:
        return this.#readdir(id, fields.bytes())
      case request.remove: {
        const path = this.#about('sftpDelete', fields.text())
        this.#need('files.delete')
        await removeFile(this.#files, path)
        return this.#done(id)
      }
      case request.rmdir: {
        const path = this.#about('sftpDelete', fields.text())
        this.#need('files.delete')
        await removeFolder(this.#files, path)
        return this.#done(id)
      }
      case request.mkdir: {
        const path = this.#about('sftpCreateFolder', fields.text())
        this.#need('files.write')
        await this.#files.createFolder(path)
        return this.#done(id)
      }
      case request.realpath: {
        const path = realPathOf(fields.text())
        return packet.name(id, [{ name: path, longName: path, attributes: {} }])
      }
      case request.rename: {
        const from = this.#about('sftpRename', fields.text())
        const to = pathOf(fields.text())
        this.#need('files.write')
        await this.#files.rename(from, to)
        return this.#done(id)
      }
      case request.readlink: {
        this.#need('files.read')
        const target = await linkAt(this.#files, pathOf(fields.text()))
        return packet.name(id, [{ name: target, longName: target, attributes: {} }])
      }
      case request.symlink: {
        // In the order in which OpenSSH sends them, which is not that of the draft, and which every client has taken over.
        const target = fields.text()
        const path = this.#about('sftpLink', fields.text())
        this.#need('files.write')
        await makeLink(this.#files, path, target)
        return this.#done(id)
      }
      case request.extended:
        return this.#extended(id, fields)
      default:
        return unsupported(id)
    }
  }

  async #open(id: number, text: string, flags: number, wanted: Attributes): Promise<Buffer> {
    const writes = (flags & openFlag.write) !== 0
    const path = writes ? this.#about('sftpWrite', text) : pathOf(text)
    if (writes) this.#need('files.write')
    if ((flags & openFlag.read) !== 0 || !writes) this.#need('files.read')
    this.#handles.checkRoom()
    const opened = await openAs(this.#target, path, { flags, mode: wanted.mode })
    if ((flags & (openFlag.create | openFlag.truncate)) !== 0) opened.changed = writes
    return packet.handle(id, this.#handles.add(opened))
  }

  async #close(id: number, handle: Buffer): Promise<Buffer> {
    const opened = this.#handles.take(handle)
    if (!opened) return unknownHandle(id)
    if (opened.kind === 'file' && opened.changed) this.#told = { operation: 'sftpWrite', path: opened.path }
    await closeOpened(opened)
    return this.#done(id)
  }

  async #read(id: number, handle: Buffer, offset: number, wanted: number): Promise<Buffer> {
    this.#need('files.read')
    const opened = this.#file(handle)
    if (!opened?.reads) return unknownHandle(id)
    const length = Math.min(wanted, blockBytesMax)
    const reply = dataReply(id, length)
    const { bytesRead } = await opened.file.read(reply, dataAt, length, offset)
    return bytesRead === 0 ? packet.status(id, status.eof, 'The end of the file') : trim(reply, bytesRead)
  }

  async #write(id: number, handle: Buffer, offset: number, bytes: Buffer): Promise<Buffer> {
    const opened = this.#file(handle)
    if (opened) this.#told = { operation: 'sftpWrite', path: opened.path }
    this.#need('files.write')
    if (!opened?.writes) return unknownHandle(id)
    await writeAt(this.#files, opened, offset, bytes)
    // Told when it is closed, not with each block.
    this.#told = null
    return packet.status(id, status.ok, '')
  }

  async #setOpen(id: number, handle: Buffer, wanted: Attributes): Promise<Buffer> {
    const opened = this.#handles.get(handle)
    if (opened) this.#told = { operation: 'sftpChangeMode', path: opened.path }
    this.#need('files.write')
    if (!opened) return unknownHandle(id)
    if (opened.kind === 'file') {
      if (!opened.writes && wanted.size !== undefined) return unknownHandle(id)
      await setOpen(this.#files, opened.path, opened, wanted)
      if (wanted.size !== undefined) opened.changed = true
      // Clients set time and mode of each file that they have written.
      if (opened.changed) this.#told = null
    } else await setAttributes(this.#target, opened.path, wanted)
    return this.#done(id)
  }

  async #readdir(id: number, handle: Buffer): Promise<Buffer> {
    this.#need('files.read')
    const opened = this.#handles.get(handle)
    if (opened?.kind !== 'folder') return unknownHandle(id)
    const entries: Entry[] = await nextEntries(opened)
    return entries.length === 0 ? packet.status(id, status.eof, 'The end of the folder') : packet.name(id, entries)
  }

  async #extended(id: number, fields: Fields): Promise<Buffer> {
    switch (fields.text()) {
      case 'posix-rename@openssh.com': {
        const from = this.#about('sftpRename', fields.text())
        const to = pathOf(fields.text())
        this.#need('files.write')
        await replace(this.#files, from, to)
        return this.#done(id)
      }
      case 'fsync@openssh.com': {
        this.#need('files.write')
        const opened = this.#file(fields.bytes())
        if (!opened?.writes) return unknownHandle(id)
        await opened.file.sync()
        return packet.status(id, status.ok, '')
      }
      case 'statvfs@openssh.com':
      case 'fstatvfs@openssh.com':
        this.#need('files.read')
        return this.#space(id)
      case 'limits@openssh.com':
        return packet.extended(id, long(packetBytesMax), long(blockBytesMax), long(blockBytesMax), long(handlesMax))
      default:
        return unsupported(id)
    }
  }

  /** How large the server's files are and may be, in blocks: what `df` shows. */
  async #space(id: number): Promise<Buffer> {
    const { space } = this.#files
    await space.refresh()
    const blocks = Math.floor(space.limitBytes / blockBytes)
    const free = Math.max(0, blocks - Math.ceil(space.usedBytes / blockBytes))
    const numbers = [blockBytes, blockBytes, blocks, free, free, 0, 0, 0, 0, noSetuid, nameBytesMax]
    return packet.extended(id, ...numbers.map(long))
  }

  /** Remembers what the request is about, for the log of activity, and gives the path. */
  #about(operation: Told['operation'], text: string): string {
    this.#told = { operation, path: text }
    const path = pathOf(text)
    this.#told = { operation, path }
    return path
  }

  /** Checked at each request: what was allowed a moment ago may no longer be. */
  #need(permission: ServerPermission): void {
    if (!this.#session.may(permission)) throw new Lacking(permission)
  }

  #file(handle: Buffer): OpenFile | null {
    const opened: Opened | null = this.#handles.get(handle)
    return opened?.kind === 'file' ? opened : null
  }

  #done(id: number): Buffer {
    this.#tell(null)
    return packet.status(id, status.ok, '')
  }

  #tell(code: SftpAct['code']): void {
    if (this.#told) this.#session.acts.add(this.#told.operation, this.#told.path, code)
    this.#told = null
  }

  /** Resolves when there is room for the next reply: the client takes them, or it waits. */
  async #send(reply: Buffer): Promise<void> {
    if (this.#channel.write(reply) && this.#socket.writableLength < repliesWaitingBytesMax) return
    const stream = this.#channel.writableNeedDrain ? this.#channel : this.#socket
    await new Promise<void>((resolve) => {
      const stop = (): void => {
        stream.off('drain', stop)
        this.#socket.off('close', stop)
        this.#session.signal.removeEventListener('abort', stop)
        resolve()
      }
      stream.on('drain', stop)
      this.#socket.on('close', stop)
      this.#session.signal.addEventListener('abort', stop)
      if (this.#session.signal.aborted || this.#socket.destroyed) stop()
    })
  }
}

/** Blocks that sizes are told in, in bytes. */
const blockBytes = 4096

/** ST_NOSUID: such bits are left out when files are made. */
const noSetuid = 2

/** NAME_MAX. */
const nameBytesMax = 255

const extensions = [
  ['posix-rename@openssh.com', '1'],
  ['statvfs@openssh.com', '2'],
  ['fstatvfs@openssh.com', '2'],
  ['fsync@openssh.com', '1'],
  ['limits@openssh.com', '1'],
] as const

const unsupported = (id: number): Buffer => fail(id, status.unsupported, 'This is not offered here')
const unknownHandle = (id: number): Buffer => fail(id, status.failure, 'No such open file')
const fail = (id: number, code: Status, message: string): Buffer => packet.status(id, code, message)
