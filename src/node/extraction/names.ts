import { isUtf8 } from 'node:buffer'
import { type Job, Refused, shown } from './job.ts'

/** A longer name no file system takes (NAME_MAX). */
const nameBytesMax = 255

/**
 * The parts of an entry's name, relative to where the archive is unpacked; none for that folder itself. Throws `Refused` where it
 * would leave the folder, or no file system here takes it.
 * @param name one character for each byte.
 */
export function entryParts(name: string, { faithful, depthMax }: Pick<Job, 'faithful' | 'depthMax'>): string[] {
  const parts = name
    .replace(/^(?:\.\/)+/, '')
    .replace(/\/+$/, '')
    .split('/')
    .filter((part) => part !== '.')
  if (parts.length === 1 && parts[0] === '') return []
  if (
    name.startsWith('/') ||
    name.includes('\0') ||
    (!faithful && name.includes('\\')) ||
    parts.some((part) => part === '..' || part === '')
  )
    throw new Refused(`${shown(name)} would leave the folder`)
  if (!faithful && !isPlain(name)) throw new Refused(`${shown(name)} is not a name in UTF-8`)
  if (parts.some((part) => part.length > nameBytesMax))
    throw new Refused(`${shown(name)} is longer than ${nameBytesMax} bytes`)
  if (parts.length > depthMax) throw new Refused(`${shown(name)} is more than ${depthMax} folders deep`)
  return parts
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are a part of ASCII
export const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)

/** UTF-8, and not what a decoder puts in place of bytes that are none. */
function isPlain(name: string): boolean {
  if (isAscii(name)) return true
  const bytes = Buffer.from(name, 'latin1')
  return isUtf8(bytes) && !bytes.includes('\ufffd')
}
