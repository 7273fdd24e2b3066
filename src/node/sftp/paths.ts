import { forbidden } from '../../contract/errors.ts'
import { quoted } from '../files/place.ts'

/**
 * A client's path as the server's root has it: `/a/b`. Clients send relative paths, and `.` and `..` in them, which mean what
 * they mean in a path that begins at the root; one that would leave it is refused. No link is looked at: the walk does that.
 */
export function pathOf(text: string): string {
  return join(text, () => {
    throw forbidden(`${quoted(text)} leads outside the server's folder`)
  })
}

/** The same for `realpath`, where above the root there is the root, as on every machine. */
export const realPathOf = (text: string): string => join(text, () => undefined)

function join(text: string, above: () => void): string {
  if (text.includes('\0') || text.includes('\ufffd')) throw forbidden(`${quoted(text)} is no path in UTF-8`)
  const parts: string[] = []
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) above()
  }
  return `/${parts.join('/')}`
}

/** Whether a link in the folder of `path` to `target` stays inside whatever the folders above it are. */
export function staysInside(path: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || target.includes('\0') || target.includes('\ufffd')) return false
  let depth = pathOf(path).split('/').length - 2
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue
    depth += part === '..' ? -1 : 1
    if (depth < 0) return false
  }
  return true
}
