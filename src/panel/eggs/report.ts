import type { z } from 'zod'
import type { ImportNote } from '../../contract/api/templates.ts'

export type Note = z.input<typeof ImportNote>

/** A report is cut after this many notes: a hostile egg could have as many as it has characters. */
const notesMax = 500

/** What an import made of an egg, in words, for whoever imported it. */
export class Report {
  readonly notes: Note[] = []

  /** It means something close here. */
  changed(where: string, message: string): void {
    this.#add('changed', where, message)
  }

  /** It is kept for the next export; nothing acts on it. */
  kept(where: string, message: string): void {
    this.#add('kept', where, message)
  }

  /** It has no effect here. */
  dropped(where: string, message: string): void {
    this.#add('dropped', where, message)
  }

  #add(kind: Note['kind'], where: string, message: string): void {
    if (this.notes.length < notesMax) this.notes.push({ kind, where: clean(where, 200), message: clean(message, 500) })
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what goes
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

/** One printable line: what eggs say is shown in terminals and pages. */
export const clean = (text: string, charsMax: number): string =>
  text.replace(unprintable, ' ').trim().slice(0, charsMax)
