/**
 * A start line as eggs have it, for a shell that reads it once: `{{NAME}}` becomes `$` + `{NAME}`, whose value comes from the
 * environment and is never read as a part of the line.
 */
export function shellLine(line: string): string {
  const once = line.replace(/\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g, (_, name: string) => `\${${name}}`)
  return unescaped(once)
}

/**
 * Images made for eggs read the line twice, so many eggs write `\"` where they mean `"`. Outside of quotes nobody means a quote
 * as a letter; inside of them it stays what it is.
 */
function unescaped(line: string): string {
  let quote = ''
  let made = ''
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] as string
    if (char === '\\' && quote !== "'") {
      const next = line[at + 1] ?? ''
      made += quote === '' && next === '"' ? '"' : char + next
      at += 1
      continue
    }
    if ((char === '"' || char === "'") && (quote === '' || quote === char)) quote = quote === '' ? char : ''
    made += char
  }
  return made
}
