import type { FileHandle } from 'node:fs/promises'
import { AppError } from '../../contract/errors.ts'
import type { ConfigPatch } from '../../contract/template.ts'
import { writeBeneath } from '../files/beneath.ts'
import { openFile } from '../files/place.ts'
import type { Owner } from '../runtime.ts'
import { patchIni } from './ini.ts'
import { patchJson } from './json.ts'
import { patchedBytesMax, yamlBytesMax } from './limits.ts'
import { patchLines } from './lines.ts'
import { type Setting, settingOf } from './patch-value.ts'
import { patchProperties } from './properties.ts'
import { patchXml } from './xml.ts'
import { patchYaml } from './yaml.ts'

/**
 * Writes a template's values into the configuration files of a server, which are the server's own and may hold anything. A
 * file that cannot be changed safely stays as it is and stops nobody: the game says best what it makes of it.
 * @param root the server's own folder.
 * @param note told in words what was left alone, and why.
 */
export async function applyPatches(
  patches: readonly ConfigPatch[],
  {
    root,
    owner,
    values,
    note,
  }: { root: string; owner: Owner | null; values: Readonly<Record<string, string>>; note(line: string): Promise<void> },
): Promise<void> {
  for (const patch of patches) {
    try {
      await applyPatch(patch, root, owner, values)
    } catch (error) {
      await note(`${patch.path} stays as it is: ${wordsOf(error)}`)
    }
  }
}

async function applyPatch(
  patch: ConfigPatch,
  root: string,
  owner: Owner | null,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  const settings = patch.set.map((entry) => settingOf(entry, values))
  const present = await read(root, patch.path, patch.format === 'yaml' ? yamlBytesMax : patchedBytesMax)
  if (present === null && patch.format === 'lines') return
  const { decode, encode, change } = formats[patch.format]
  const before = decode(present ?? Buffer.alloc(0))
  const after = encode(change(before, settings))
  if (present?.equals(after) || (present === null && after.length === 0)) return
  if (after.length > patchedBytesMax) throw new Error(`it would be larger than ${patchedBytesMax / 1024} KiB`)
  await writeBeneath(root, patch.path, after, { owner, once: false })
}

/** Null where there is none. */
async function read(root: string, path: string, bytesMax: number): Promise<Buffer | null> {
  let file: FileHandle
  try {
    file = await openFile({ path: root, home: '\0', owner: null }, path)
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') return null
    throw error
  }
  try {
    const { size } = await file.stat()
    const tooLarge = new Error(`it is larger than ${bytesMax / 1024} KiB`)
    if (size > bytesMax) throw tooLarge
    // It may grow meanwhile: never more than this is read.
    const buffer = Buffer.alloc(bytesMax + 1)
    let length = 0
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
      length += bytesRead
      if (length > bytesMax) throw tooLarge
      if (bytesRead === 0) return Buffer.from(buffer.subarray(0, length))
    }
  } finally {
    await file.close()
  }
}

interface Format {
  decode(content: Buffer): string
  encode(text: string): Buffer
  change(text: string, settings: readonly Setting[]): string
}

/** Documents are UTF-8. */
const document = {
  decode(content: Buffer): string {
    refuseBinary(content)
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
    } catch (cause) {
      throw new Error('it is not UTF-8', { cause })
    }
  },
  encode: (text: string): Buffer => Buffer.from(text, 'utf8'),
}

/** Of lines only those are touched that are known: the others stay byte for byte, whatever their encoding. */
const lines = {
  decode(content: Buffer): string {
    refuseBinary(content)
    return content.toString('latin1')
  },
  encode: (text: string): Buffer => Buffer.from(text, 'latin1'),
}

const formats: Readonly<Record<ConfigPatch['format'], Format>> = {
  json: { ...document, change: patchJson },
  yaml: { ...document, change: patchYaml },
  xml: { ...document, change: patchXml },
  properties: { ...lines, change: patchProperties },
  ini: { ...lines, change: patchIni },
  lines: { ...lines, change: patchLines },
}

function refuseBinary(content: Buffer): void {
  if (content.includes(0)) throw new Error('it is not plain text; UTF-16 cannot be changed')
}

function wordsOf(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deeply'
  return error instanceof Error ? error.message.slice(0, 300) : String(error)
}
