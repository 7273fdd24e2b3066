import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { patienceMs } from '../patience.ts'
import { reservePort, reservePorts } from '../ports.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** The whole product, as people start it: panel, node, edge and web UI in a process of their own. */
export interface Product extends AsyncDisposable {
  /** Where the panel is: `http://127.0.0.1:12345`. */
  readonly origin: string
  /** Makes somebody the owner; once. Null afterwards. */
  readonly setupLink: string
  /** A client with a key. */
  client(token: string): ReturnType<typeof createClient<typeof publicOperations>>
  /** Ends the panel and starts it again on the same port and data. */
  restart(): Promise<void>
}

/** `more`: settings besides those of every test, as the command line takes them. */
export async function startProduct(more: Readonly<Record<string, string>> = {}): Promise<Product> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-browser-'))
  const port = await reservePort()
  const [edgePorts, nodePorts] = [await reservePorts(20), await reservePorts(20)]
  const start = () => up(folder, port, edgePorts, nodePorts, more)
  let running = await start()
  const origin = `http://127.0.0.1:${port}`
  return {
    origin,
    setupLink: running.setupLink ?? '',
    client: (token) => createClient(publicOperations, { baseUrl: `${origin}/api/v1`, token }),
    async restart() {
      await running.end()
      running = await start()
    },
    async [Symbol.asyncDispose]() {
      await running.end()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type Range = { first: number; last: number }

async function up(
  folder: string,
  port: number,
  edgePorts: Range,
  nodePorts: Range,
  more: Readonly<Record<string, string>>,
) {
  const settings = {
    '--data-dir': join(folder, 'data'),
    '--port': port,
    '--edge-http-port': 0,
    '--edge-minecraft-port': 0,
    '--sftp-port': 0,
    '--edge-ports': `${edgePorts.first}-${edgePorts.last}`,
    '--node-ports': `${nodePorts.first}-${nodePorts.last}`,
    ...more,
  }
  const child = spawn(process.execPath, [main, 'up', ...Object.entries(settings).flat().map(String)], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  let output = ''
  const ready = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`The product did not start:\n${output}`)), patienceMs)
    const settle = (then: () => void) => {
      clearTimeout(late)
      then()
    }
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (output.includes('Ctrl-C stops Pharos')) settle(resolve)
      })
    void closed.then(() => settle(() => reject(new Error(`The product ended:\n${output}`))))
  })
  await ready
  return {
    setupLink: /http\S+\/setup#\S+/.exec(output)?.[0] ?? null,
    async end() {
      child.kill('SIGINT')
      await closed
    },
  }
}
