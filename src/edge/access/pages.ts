/** A page of the edge's own. Nothing in it is escaped yet. */
export interface PageWords {
  title: string
  message: string
  /** Beside or below the message, smaller. */
  note?: string
  link?: { href: string; text: string }
  /** Where somebody can tell of abuse. */
  report?: string
}

/** No scripts, nothing from elsewhere. */
export function page({ title, message, note, link, report }: PageWords): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${escapeHtml(title)}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1.5rem}h1{font-size:1.4rem}p{white-space:pre-line;overflow-wrap:anywhere}small{opacity:.7}a.next{display:inline-block;padding:.5rem 1rem;border:1px solid;border-radius:.4rem;text-decoration:none;color:inherit}</style></head>
<body><h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p>
${link ? `<p><a class="next" rel="nofollow" href="${escapeHtml(link.href)}">${escapeHtml(link.text)}</a></p>\n` : ''}<p><small>${note ? `${escapeHtml(note)} · ` : ''}${report ? `<a rel="nofollow noreferrer" href="${escapeHtml(report)}">Report abuse</a> · ` : ''}Pharos</small></p></body></html>
`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
