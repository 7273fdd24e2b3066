/** The bytes of messages that go out on many connections: each message is serialised for the first of them. */
export class WrittenMessages {
  readonly #bytes = new WeakMap<object, Buffer>()

  /** Kept for as long as anybody holds the message, which must not change any more. */
  of(message: unknown, serialise: (message: unknown) => string): Buffer {
    if (typeof message !== 'object' || message === null) return Buffer.from(serialise(message))
    const known = this.#bytes.get(message)
    if (known) return known
    const bytes = Buffer.from(serialise(message))
    this.#bytes.set(message, bytes)
    return bytes
  }
}
