/**
 * One line that shows what it holds and does nothing else, wherever it is shown: no escape sequence begins in it (neither with
 * ESC nor with its one-character forms), and nothing turns the direction of what follows. Tabs stay. Each character that is
 * taken out becomes `instead`.
 */
export const printableLine = (text: string, instead = ''): string => text.replace(unprintable, instead)

/** The same of several lines. */
export const printableText = (text: string, instead = ''): string =>
  text
    .split('\n')
    .map((line) => printableLine(line, instead))
    .join('\n')

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const unprintable = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g
