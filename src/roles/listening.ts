import { AppError, conflict } from '../contract/errors.ts'

/** Where a role was told to listen, and by which flags that is changed. */
export interface Wanted {
  host: string
  port: number
  hostFlag: string
  portFlag: string
}

/** Runs what opens a port; a port or address that cannot be had becomes an error that names it and the flag. */
export async function listening<T>(wanted: Wanted, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    throw inWords(error, wanted)
  }
}

function inWords(error: unknown, { host, port, hostFlag, portFlag }: Wanted): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException
  if (syscall !== 'listen' && syscall !== 'bind' && syscall !== 'getaddrinfo') return error
  if (code === 'EADDRINUSE')
    return conflict(
      `Port ${port} on ${host} is already in use. Stop what uses it, or choose another one with ${portFlag}.`,
    )
  if (code === 'EACCES')
    return new AppError(
      'forbidden',
      `Port ${port} may not be used by this user. Choose one above 1023 with ${portFlag}.`,
    )
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return conflict(`This machine has no address ${host}. Choose another one with ${hostFlag}.`)
  return new AppError('internal', `Cannot listen on ${host}:${port}: ${message}`, { cause: error })
}
