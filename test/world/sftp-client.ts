import { once } from 'node:events'
import ssh2, { type Client, type ClientChannel, type ConnectConfig, type SFTPWrapper } from 'ssh2'

export interface SftpClient extends AsyncDisposable {
  client: Client
  sftp: SFTPWrapper
  /** Resolves when the connection has ended, whoever ended it. */
  ended: Promise<unknown>
}

/** Where and as whom. */
export type Where = Pick<ConnectConfig, 'port' | 'username' | 'password' | 'privateKey' | 'tryKeyboard'>

/** Signs in as a client does that knows SSH well; rejects where it is not let in. */
export async function connectSsh(where: Where): Promise<{ client: Client; ended: Promise<unknown> }> {
  const client = new ssh2.Client()
  const ended = new Promise<void>((resolve) => client.once('close', () => resolve()))
  client.on('keyboard-interactive', (_name, _words, _language, questions, answer) =>
    answer(questions.map(() => where.password ?? '')),
  )
  client.connect({ host: '127.0.0.1', readyTimeout: 60_000, ...where })
  await Promise.race([
    once(client, 'ready'),
    ended.then(() => {
      throw new Error('the server closed the connection')
    }),
  ])
  // What ends it later is told by `ended`.
  client.on('error', () => undefined)
  return { client, ended }
}

export async function connectSftp(where: Where): Promise<SftpClient> {
  const { client, ended } = await connectSsh(where)
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) =>
    client.sftp((error, made) => (error ? reject(error) : resolve(made))),
  )
  sftp.on('error', () => undefined)
  return {
    client,
    sftp,
    ended,
    async [Symbol.asyncDispose]() {
      client.end()
      await ended
    },
  }
}

/** The channel of the subsystem itself, for packets that no library would send. */
export const rawSftp = (client: Client): Promise<ClientChannel> =>
  new Promise((resolve, reject) =>
    client.subsys('sftp', (error, channel) => (error ? reject(error) : resolve(channel))),
  )

/** Calls a function of the library that ends with a callback. */
export const call = <T = void>(act: (done: (error: Error | null | undefined, value?: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    // What has no value gives none.
    act((error, value) => (error ? reject(error) : resolve(value as T))),
  )
