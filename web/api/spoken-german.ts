/** The panel’s sentences in German: loaded for who speaks it alone, since everybody else would wait for them in vain. */
export const german: { words?: typeof import('./german.ts') } = {}

export async function learnGerman(): Promise<void> {
  german.words ??= await import('./german.ts')
}
