import { hash } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import ssh2 from 'ssh2'
import { conflict } from '../../contract/errors.ts'
import { createFileOnce } from '../../lib/fs.ts'

export interface HostKey {
  /** In OpenSSH's format. */
  privateKey: string
  /** `SHA256:…`, as clients show it when they see it for the first time. */
  fingerprint: string
}

/** The key by which clients recognise this node: made once, readable by this process's user alone. */
export async function openHostKey(path: string): Promise<HostKey> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const privateKey = await createFileOnce(path, () => ssh2.utils.generateKeyPairSync('ed25519').private)
  await chmod(path, 0o600)
  const parsed = ssh2.utils.parseKey(privateKey)
  if (parsed instanceof Error)
    throw conflict(`${path} is damaged. Move it away for a new host key, which every client will ask about.`)
  return {
    privateKey,
    fingerprint: `SHA256:${hash('sha256', parsed.getPublicSSH(), 'base64').replaceAll('=', '')}`,
  }
}
