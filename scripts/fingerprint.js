import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

/**
 * Changes whenever one of the files does; reading times and sizes alone keeps every start quick.
 * @param {string} root
 * @param {string[]} folders whole folders, without tests
 * @param {string[]} files further files
 */
export async function fingerprint(root, folders, files) {
  const found = []
  for (const folder of folders) {
    for (const item of await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
      if (item.isFile() && !/\.test\.tsx?$/.test(item.name)) found.push(join(item.parentPath, item.name))
  }
  const hash = createHash('sha256')
  for (const file of [...found, ...files.map((name) => join(root, name))].sort()) {
    const { mtimeMs, size } = await stat(file)
    hash.update(`${relative(root, file)}\0${mtimeMs}\0${size}\n`)
  }
  return hash.digest('hex')
}
