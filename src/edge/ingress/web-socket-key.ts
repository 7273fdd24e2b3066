import { createHash } from 'node:crypto'

/** RFC 6455 §4.2.2: by this a service shows that it has understood the key it was asked with. */
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
