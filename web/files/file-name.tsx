/**
 * Names come from games, archives and visitors. What could hide in one, turn it around or break its line is shown as an escape:
 * nobody clicks `exe.txt` and gets `txt.exe`.
 */
const deceptive = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]|(?! )\p{Zs}/gu

/** A name as text, for where there is nothing but text: labels, questions, toasts. */
export const visible = (name: string): string => name.replace(deceptive, escapeOf)

/** A name with its escapes marked. */
export function FileName({ name }: { name: string }) {
  const parts: { text: string; escaped: boolean; at: number }[] = []
  let from = 0
  for (const { 0: found, index } of name.matchAll(deceptive)) {
    if (index > from) parts.push({ text: name.slice(from, index), escaped: false, at: from })
    parts.push({ text: escapeOf(found), escaped: true, at: index })
    from = index + found.length
  }
  if (from < name.length) parts.push({ text: name.slice(from), escaped: false, at: from })
  return (
    <bdi className="whitespace-pre">
      {parts.map(({ text, escaped, at }) =>
        escaped ? (
          <span key={at} className="rounded bg-warn-soft px-0.5 font-mono text-warn text-xs">
            {text}
          </span>
        ) : (
          text
        ),
      )}
    </bdi>
  )
}

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function escapeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return short[character] ?? `\\u${code > 0xffff ? `{${code.toString(16)}}` : code.toString(16).padStart(4, '0')}`
}
