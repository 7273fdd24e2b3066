/**
 * One line that shows what it holds and does nothing else, wherever it is shown: what a terminal would act on is gone as a whole
 * (a colour leaves no `[31m` behind, whether it began with ESC or with the one-character form), and nothing turns the
 * direction of what follows. Tabs stay. What is taken out becomes `instead`.
 */
export const printableLine = (text: string, instead = ''): string => text.replace(unprintable, instead)

/** The same of several lines. */
export const printableText = (text: string, instead = ''): string =>
  text
    .split('\n')
    .map((line) => printableLine(line, instead))
    .join('\n')

/*
 * Escape sequences as ECMA-48 has them. No part of a pattern can run past where another one could begin, so that a hostile
 * line costs time by its length alone.
 */

/** Colours, movements, erasing: `ESC [ 31 m`. One that was cut off is taken out as far as it goes. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const controls = /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?/

/** Titles, links, strings for devices: `ESC ] 0;title BEL`. What is in one that nothing ends is text that somebody should see. */
const strings =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  /(?:\u001b[PX\]^_]|[\u0090\u0098\u009d-\u009f])(?:[^\u0007\u001b\u0080-\u009f]*(?:\u0007|\u001b\\|\u009c|(?=[\u001b\u0080-\u009f])))?/

/** `ESC c`, `ESC ( B`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const others = /\u001b[ -/]*[0-~]?/

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const characters = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

const unprintable = new RegExp([controls, strings, others, characters].map(({ source }) => source).join('|'), 'g')
