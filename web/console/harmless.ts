/**
 * What a game prints, with colours and nothing else: other escape sequences could move the cursor over earlier lines, set
 * titles, or write to the clipboard, and control characters could hide text.
 */
export function harmless(line: string): string {
  return line.replace(notColours, '')
}

// Everything that begins with ESC or is a control character, but for SGR sequences: `ESC [ numbers m`.
const notColours =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  /\u001b(?!\[[0-9;:]*m)(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])?|[\u0000-\u0008\u000a-\u001a\u001c-\u001f\u007f-\u009f]|[\u202a-\u202e\u2066-\u2069]/g
