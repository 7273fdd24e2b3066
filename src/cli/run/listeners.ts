import { readdir, readFile, readlink } from 'node:fs/promises'

/** Where a process takes TCP connections. */
export interface Listener {
  /** `127.0.0.1`, `::`; without brackets. */
  address: string
  port: number
}

/** Whether this system tells which process listens where. */
export async function canSeeListeners(): Promise<boolean> {
  return (await lines('/proc/net/tcp')).length > 0
}

/** A process and everything it has started, however deep, as far as that runs. */
export async function processTree(root: number): Promise<number[]> {
  const children = new Map<number, number[]>()
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^[0-9]+$/.test(name)) continue
    // The name of a program stands in parentheses and may hold anything; the parent is the second word after them.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    const siblings = children.get(parent)
    if (siblings) siblings.push(Number(name))
    else children.set(parent, [Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** Where these processes listen. Those that are gone, or belong to somebody else, listen nowhere. */
export async function listenersOf(pids: readonly number[]): Promise<Listener[]> {
  const sockets = new Set<string>()
  for (const pid of pids)
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1]
      if (inode) sockets.add(inode)
    }
  if (sockets.size === 0) return []
  return [...(await lines('/proc/net/tcp')), ...(await lines('/proc/net/tcp6'))].flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state !== listening || !sockets.has(inode)) return []
    const [address = '', port = ''] = local.split(':')
    return [{ address: addressOf(address), port: Number.parseInt(port, 16) }]
  })
}

/** As the kernel writes it. */
const listening = '0A'

const lines = async (path: string): Promise<string[]> =>
  (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(1)

/** The kernel writes addresses as words of 32 bits in the machine's own order, which is little endian wherever Node runs. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse()
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.every((byte) => byte === 0)) return '::'
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1'
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16))
  return groups.join(':')
}
