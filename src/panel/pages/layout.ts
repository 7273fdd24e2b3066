/** A page of the panel before its web UI: no framework, no script but `script`, no request to anywhere else. */
export const page = ({ title, body, script }: { title: string; body: string; script?: string }): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="stylesheet" href="/pages.css">
${script === undefined ? '' : `<script type="module" src="${script}"></script>`}
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`

export const stylesheet = `:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 25%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; }
main { max-width: 34rem; margin: 12vh auto 4rem; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
label { display: block; margin: 0 0 1rem; }
label small { display: block; opacity: .7; }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem .6rem; border: 1px solid var(--line); border-radius: .4rem; background: transparent; color: inherit; }
button { font: inherit; padding: .5rem 1.2rem; border: 0; border-radius: .4rem; background: #0b5fae; color: #fff; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
:is(input, button, a):focus-visible { outline: 3px solid #4b9fea; outline-offset: 2px; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; user-select: all; }
[role=alert] { color: #b3261e; min-height: 1.5em; }
@media (prefers-color-scheme: dark) { [role=alert] { color: #ff8a80; } }
`
