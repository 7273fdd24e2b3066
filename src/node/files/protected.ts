import { isIgnorePattern } from '../../contract/node-backups.ts'
import { type Excluded, excludedBy } from '../backups/excluded.ts'

/**
 * Files that people neither read nor change from here, by patterns in the syntax of `.gitignore`: a kind of server says so of
 * what must stay as it is. The game itself is not held by it, nor is whoever runs code in it.
 */
export class ProtectedFiles {
  readonly #matches: Excluded

  private constructor(matches: Excluded) {
    this.#matches = matches
  }

  /** Null where no pattern is left. One that takes too long to match protects nothing: the import has said so. */
  static of(patterns: readonly string[]): ProtectedFiles | null {
    const sound = patterns.filter(isIgnorePattern)
    return sound.length === 0 ? null : new ProtectedFiles(excludedBy(sound.join('\n')))
  }

  /** @param path from the server's root, without links. What is there or may come does not matter: it may be a folder, too. */
  has(path: string): boolean {
    return path !== '' && (this.#matches(path, false) || this.#matches(path, true))
  }
}
