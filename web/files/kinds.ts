import {
  File,
  FileArchive,
  FileCode,
  FileCog,
  FileImage,
  FileLock,
  FileSymlink,
  FileText,
  Folder,
  type LucideIcon,
} from 'lucide-react'
import type { Entry } from './queries.ts'

/** How a file is opened, told by its name alone: its content is looked at only then. */
export type View = 'text' | 'image' | 'log' | 'binary'

const images: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
  svg: 'image/svg+xml',
}

/** What is certainly no text: offered for download without being read. */
const binaries = new Set(
  'jar zip tar tgz gz zst xz bz2 7z rar dat dat_old mca mcr nbt schem schematic db sqlite sqlite3 db-wal db-shm exe dll so bin class pak vpk bsp wad mp3 ogg wav mp4 mkv webm pdf ttf otf woff woff2 pyc o a iso img'.split(
    ' ',
  ),
)

const unpacked = /\.(?:zip|tar|tar\.gz|tgz|tar\.zst|gz|zst)$/i

/** Whether the panel unpacks it. */
export const isArchive = (name: string): boolean => unpacked.test(name)

export const endingOf = (name: string): string => {
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase()
}

/** The media type that an image is shown as; undefined for what is none. */
export const imageType = (name: string): string | undefined => {
  const ending = endingOf(name)
  return Object.hasOwn(images, ending) ? images[ending] : undefined
}

export function viewOf(name: string): View {
  if (imageType(name)) return 'image'
  if (/\.log(?:\.\d+)?(?:\.gz)?$/i.test(name)) return 'log'
  return binaries.has(endingOf(name)) ? 'binary' : 'text'
}

const settings = new Set('properties ini cfg conf toml yml yaml env'.split(' '))
const code = new Set('json json5 js ts lua py sh bat ps1 java xml html css sk'.split(' '))

export function iconOf({ name, isDirectory, symlink }: Pick<Entry, 'name' | 'isDirectory' | 'symlink'>): LucideIcon {
  if (isDirectory) return Folder
  if (symlink !== null) return FileSymlink
  const ending = endingOf(name)
  if (isArchive(name) || ending === 'jar') return FileArchive
  if (imageType(name)) return FileImage
  if (settings.has(ending)) return FileCog
  if (code.has(ending)) return FileCode
  if (ending === 'key' || ending === 'pem') return FileLock
  return viewOf(name) === 'binary' ? File : FileText
}
