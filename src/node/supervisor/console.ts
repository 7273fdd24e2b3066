import { execFile } from 'node:child_process'
import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { ConsoleLine } from '../../contract/node.ts'
import type { Clock } from '../../lib/clock.ts'
import { writeFileAtomic } from '../../lib/fs.ts'
import type { Log } from '../../lib/log.ts'
import { Queue } from '../../lib/queue.ts'
import { Signal } from '../../lib/signals.ts'
import { toolEnvironment } from '../runtime/launch.ts'
import { serverFiles } from '../runtime.ts'
import { lineBytesMax, plainText, textAndStyles } from './console-text.ts'

const run = promisify(execFile)

/**
 * A server's console: the file that its processes append to, read as numbered lines.
 *
 * A line's number is the count of newlines before it since the server exists. It follows from the bytes, so it survives this
 * process: `console.json` remembers, for one position, how many lines were before it, and the rest is counted again.
 * The file only grows at its end. Its old beginning is given back to the disk as a hole, which moves no position and so can
 * be done while the server writes.
 */
export interface Console extends AsyncDisposable {
  /** Each new line, once, in order. */
  readonly onLine: Signal<ConsoleLine>
  /** The newest `count` lines, oldest first. */
  lines(count: number): Promise<ConsoleLine[]>
  /**
   * The newest `backlog` lines, then every line as it comes: none missing, none twice. The returned function ends it.
   * @param take gets at least one line per call.
   */
  subscribe(backlog: number, take: (lines: ConsoleLine[]) => void): Promise<() => void>
  /** Adds a line of our own. A full disk loses the note and nothing else. */
  note(text: string): Promise<void>
  /** Call before a new run: ends a half line that the last run left and says at which position the new one begins. */
  beginRun(): Promise<number>
  /** Whether a complete line after `position` is one that `fits`. */
  contains(fits: (text: string) => boolean, position: number): Promise<boolean>
  /** Watches the file from now on, or no more. */
  follow(on: boolean): void
  /** Resolves when every complete line that is in the file now has been told to the listeners. */
  catchUp(): Promise<void>
}

/** How much of a log stays readable, in bytes: some hundred thousand lines of an ordinary server. */
const keptBytes = 8 * 1024 * 1024

/** The old part is given back to the disk in pieces of this size, in bytes. */
const holeStepBytes = 8 * 1024 * 1024

/** How much is read at once, in bytes. */
const chunkBytes = 64 * 1024

/** Reading backwards stops here, in bytes: a thousand lines of full length and twice that of what was cut. */
const backwardsBytesMax = 24 * 1024 * 1024

/** Of more new output than this the older part is not read, in bytes: only a program gone wild writes so much unseen. */
const unreadBytesMax = 256 * 1024 * 1024

/** How often a followed file is looked at besides being told of changes, in ms. */
const pollMs = 1_000

/** A file whose size goes beyond this is begun anew at the next start, in bytes. */
const sizeMax = 4 * 1024 * 1024 * 1024

/** How many of the newest lines have a time. */
const timedLines = 1024

/** File systems give space back in blocks of this size or a divisor of it, in bytes. */
const blockBytes = 4096

const Place = z.strictObject({ inode: z.number(), offset: z.int(), seq: z.int(), hole: z.int() })
const Index = z.strictObject({ places: z.array(Place).min(1).max(2) })
type Place = z.output<typeof Place>

export async function openConsole(options: { folder: string; clock: Clock; log: Log }): Promise<Console> {
  const console = new LogConsole(options.folder, options.clock, options.log)
  await console.load()
  return console
}

class LogConsole implements Console {
  readonly onLine = new Signal<ConsoleLine>()
  readonly #path: string
  readonly #indexPath: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #queue = new Queue()
  readonly #times = new Float64Array(timedLines)
  #file: FileHandle | null = null
  #inode = 0
  /** Up to where the file has been read. */
  #read = 0
  /** Where the first incomplete line begins, and how many lines are before it. */
  #offset = 0
  #seq = 0
  /** Before this the file is empty space. */
  #hole = 0
  /** The first bytes of the incomplete line. */
  #partial: Buffer[] = []
  #partialBytes = 0
  /** Lines before this one were read without knowing when they came. */
  #timedFrom = Number.POSITIVE_INFINITY
  #canPunch = true
  #pumpWanted = false
  #watcher: FSWatcher | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(folder: string, clock: Clock, log: Log) {
    this.#path = join(folder, serverFiles.log)
    this.#indexPath = join(folder, serverFiles.logIndex)
    this.#clock = clock
    this.#log = log
  }

  async load(): Promise<void> {
    await (await open(this.#path, 'a', 0o600)).close()
    await this.#reopen()
    const places = await this.#readIndex()
    const place = places.find((candidate) => candidate.inode === this.#inode)
    const { size } = await this.#handle().stat()
    if (place && place.offset <= size) this.#moveTo(place.offset, place.seq, place.hole)
    else this.#moveTo(0, Math.max(0, ...places.map((candidate) => candidate.seq)), 0)
    await this.catchUp()
    this.#timedFrom = this.#seq
  }

  catchUp(): Promise<void> {
    return this.#queue.run(() => this.#pump())
  }

  follow(on: boolean): void {
    if (on && !this.#timer) {
      this.#timer = setInterval(() => this.#wantPump(), pollMs)
      this.#timer.unref()
      try {
        this.#watcher = watch(this.#path, { persistent: false }, () => this.#wantPump())
        // Without a watcher the poll alone remains, a second late.
        this.#watcher.on('error', () => this.#watcher?.close())
      } catch (error) {
        this.#log.warn({ err: error }, 'console log cannot be watched; it is polled')
      }
    }
    if (!on) {
      if (this.#timer) clearInterval(this.#timer)
      this.#timer = null
      this.#watcher?.close()
      this.#watcher = null
    }
  }

  lines(count: number): Promise<ConsoleLine[]> {
    return this.#queue.run(async () => {
      await this.#pump()
      return this.#readBackwards(count, this.#offset, this.#seq)
    })
  }

  subscribe(backlog: number, take: (lines: ConsoleLine[]) => void): Promise<() => void> {
    // In the queue no other reader moves the position, so what is read here and what is told later fit together exactly.
    return this.#queue.run(async () => {
      await this.#pump()
      const before = backlog > 0 ? await this.#readBackwards(backlog, this.#offset, this.#seq) : []
      if (before.length > 0) take(before)
      let gathered: ConsoleLine[] = []
      return this.onLine.on((line) => {
        // Lines of one read go out together.
        if (gathered.length === 0) {
          queueMicrotask(() => {
            const lines = gathered
            gathered = []
            take(lines)
          })
        }
        gathered.push(line)
      })
    })
  }

  async note(text: string): Promise<void> {
    try {
      await this.#queue.run(async () => {
        const file = await open(this.#path, 'a')
        try {
          const lines = text.split('\n').map((line) => `[pharos] ${line}\n`)
          await file.write(`${(await this.#endsInHalfLine()) ? '\n' : ''}${lines.join('')}`)
        } finally {
          await file.close()
        }
        await this.#pump()
      })
    } catch (error) {
      this.#log.warn({ err: error, text }, 'console note lost')
    }
  }

  beginRun(): Promise<number> {
    return this.#queue.run(async () => {
      await this.#pump()
      if (await this.#endsInHalfLine()) {
        const file = await open(this.#path, 'a')
        await file.write('\n').finally(() => file.close())
        await this.#pump()
      }
      const { size } = await this.#handle().stat()
      if (size > sizeMax || (!this.#canPunch && size > keptBytes + holeStepBytes)) await this.#beginAnew()
      await this.#saveIndex()
      return this.#offset
    })
  }

  contains(fits: (text: string) => boolean, position: number): Promise<boolean> {
    return this.#queue.run(async () => {
      await this.#pump()
      let at = Math.max(position, this.#hole)
      let rest = Buffer.alloc(0)
      while (at < this.#offset) {
        const chunk = await this.#readAt(at, Math.min(chunkBytes, this.#offset - at))
        if (chunk.length === 0) return false
        at += chunk.length
        const lines = splitLines(Buffer.concat([rest, chunk]))
        rest = Buffer.from(lines.rest.subarray(0, lineBytesMax))
        if (lines.complete.some((line) => fits(plainText(line.subarray(0, lineBytesMax))))) return true
      }
      return false
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.follow(false)
    await this.#queue.run(async () => {
      if (!this.#file) return
      await this.#saveIndex().catch((error: unknown) => this.#log.warn({ err: error }, 'console index not saved'))
      await this.#file.close()
      this.#file = null
    })
  }

  /** At most one pump waits: it will see everything that came before it. */
  #wantPump(): void {
    if (this.#pumpWanted) return
    this.#pumpWanted = true
    this.#queue
      .run(() => {
        this.#pumpWanted = false
        return this.#pump()
      })
      .catch((error: unknown) => this.#log.warn({ err: error }, 'console log cannot be read'))
  }

  async #pump(): Promise<void> {
    if (!this.#file) return
    for (;;) {
      const { size } = await this.#file.stat()
      if (size < this.#read) this.#moveTo(size, this.#seq, Math.min(this.#hole, size))
      if (size - this.#read > unreadBytesMax) await this.#skipTo(size - keptBytes)
      if (size === this.#read) break
      const chunk = await this.#readAt(this.#read, Math.min(chunkBytes, size - this.#read))
      if (chunk.length === 0) break
      this.#take(chunk)
    }
    if (this.#canPunch && this.#offset - this.#hole > keptBytes + holeStepBytes) await this.#punch()
  }

  #take(chunk: Buffer): void {
    const at = this.#timedFrom === Number.POSITIVE_INFINITY ? null : this.#clock.now()
    this.#read += chunk.length
    const { complete, rest } = splitLines(chunk)
    for (const [index, line] of complete.entries()) {
      const bytes = index === 0 ? Buffer.concat([...this.#partial, line]) : line
      if (index === 0) this.#forgetPartial()
      if (at !== null) this.#times[this.#seq % timedLines] = at
      this.onLine.emit({ seq: this.#seq++, at, ...textAndStyles(bytes.subarray(0, lineBytesMax)) })
    }
    if (complete.length > 0) this.#offset = this.#read - rest.length
    if (rest.length > 0 && this.#partialBytes < lineBytesMax) {
      this.#partial.push(Buffer.from(rest.subarray(0, lineBytesMax - this.#partialBytes)))
      this.#partialBytes += rest.length
    }
  }

  async #readBackwards(count: number, end: number, endSeq: number): Promise<ConsoleLine[]> {
    const floor = Math.max(this.#hole, end - backwardsBytesMax)
    let start = end
    let newlines = 0
    const blocks: Buffer[] = []
    // One newline more than lines: the one that ends the line before.
    while (start > floor && newlines <= count) {
      const length = Math.min(chunkBytes, start - floor)
      const block = await this.#readAt(start - length, length)
      if (block.length < length) break
      start -= length
      for (const byte of block) if (byte === newline) newlines++
      blocks.unshift(block)
    }
    const { complete } = splitLines(Buffer.concat(blocks))
    // What begins in the middle of the file may begin in the middle of a line.
    const whole = start === 0 ? complete : complete.slice(1)
    const newest = whole.slice(Math.max(0, whole.length - count))
    return newest.map((line, index) => {
      const seq = endSeq - newest.length + index
      const timed = seq >= this.#timedFrom && endSeq - seq <= timedLines
      return {
        seq,
        at: timed ? (this.#times[seq % timedLines] ?? null) : null,
        ...textAndStyles(line.subarray(0, lineBytesMax)),
      }
    })
  }

  async #endsInHalfLine(): Promise<boolean> {
    const { size } = await this.#handle().stat()
    return size > 0 && (await this.#readAt(size - 1, 1))[0] !== newline
  }

  async #skipTo(position: number): Promise<void> {
    this.#log.warn({ bytes: position - this.#read }, 'console output skipped: too much came unseen')
    this.#moveTo(position, this.#seq, this.#hole)
    await this.#saveIndex()
  }

  async #punch(): Promise<void> {
    const end = Math.floor((this.#offset - keptBytes) / blockBytes) * blockBytes
    const from = this.#hole
    this.#hole = end
    // First the index, so that nobody ever reads the hole as text.
    await this.#saveIndex()
    try {
      await run('fallocate', ['--punch-hole', '--offset', String(from), '--length', String(end - from), this.#path], {
        env: toolEnvironment,
      })
    } catch (error) {
      this.#canPunch = false
      this.#log.warn(
        { err: error },
        'the file system cannot free the old part of a console log; that waits for the next start',
      )
    }
  }

  /** Only between runs: whoever had the old file open would go on writing to it. */
  async #beginAnew(): Promise<void> {
    const from = Math.max(this.#hole, this.#offset - keptBytes / 2)
    const kept = await this.#readAt(from, this.#offset - from)
    const lines = from === 0 ? kept : kept.subarray(kept.indexOf(newline) + 1)
    const next = `${this.#path}.next`
    await writeFileAtomic(next, lines)
    const handle = await open(next, 'r')
    const { ino } = await handle.stat()
    await handle.close()
    await this.#writeIndex([this.#place(), { inode: ino, offset: lines.length, seq: this.#seq, hole: 0 }])
    await rename(next, this.#path)
    await this.#handle().close()
    await this.#reopen()
    this.#moveTo(lines.length, this.#seq, 0)
  }

  async #reopen(): Promise<void> {
    this.#file = await open(this.#path, 'r')
    this.#inode = (await this.#file.stat()).ino
  }

  #moveTo(offset: number, seq: number, hole: number): void {
    this.#read = offset
    this.#offset = offset
    this.#seq = seq
    this.#hole = hole
    this.#forgetPartial()
  }

  #forgetPartial(): void {
    this.#partial = []
    this.#partialBytes = 0
  }

  #handle(): FileHandle {
    if (!this.#file) throw new Error('this console is closed')
    return this.#file
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await this.#handle().read(buffer, done, length - done, position + done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return buffer.subarray(0, done)
  }

  #place(): Place {
    return { inode: this.#inode, offset: this.#offset, seq: this.#seq, hole: this.#hole }
  }

  #saveIndex(): Promise<void> {
    return this.#writeIndex([this.#place()])
  }

  async #writeIndex(places: Place[]): Promise<void> {
    await writeFileAtomic(this.#indexPath, JSON.stringify({ places }))
  }

  async #readIndex(): Promise<Place[]> {
    try {
      return Index.parse(JSON.parse(await readFile(this.#indexPath, 'utf8'))).places
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ err: error }, 'console index is broken; lines are counted from the beginning')
      return []
    }
  }
}

const newline = 0x0a

function splitLines(bytes: Buffer): { complete: Buffer[]; rest: Buffer } {
  const complete: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
    complete.push(bytes.subarray(start, end))
    start = end + 1
  }
  return { complete, rest: bytes.subarray(start) }
}
