import { json } from '@codemirror/lang-json'
import { yaml } from '@codemirror/lang-yaml'
import { StreamLanguage, type StreamParser } from '@codemirror/language'
import { java } from '@codemirror/legacy-modes/mode/clike'
import { css } from '@codemirror/legacy-modes/mode/css'
import { javascript, typescript } from '@codemirror/legacy-modes/mode/javascript'
import { lua } from '@codemirror/legacy-modes/mode/lua'
import { properties } from '@codemirror/legacy-modes/mode/properties'
import { python } from '@codemirror/legacy-modes/mode/python'
import { shell } from '@codemirror/legacy-modes/mode/shell'
import { toml } from '@codemirror/legacy-modes/mode/toml'
import { html, xml } from '@codemirror/legacy-modes/mode/xml'
import type { Extension } from '@codemirror/state'
import { endingOf } from '../kinds.ts'

interface Language {
  /** As people call it: a name of its own, the same in every language. */
  name: string
  support(): Extension
}

const by = (name: string, parser: StreamParser<unknown>): Language => ({
  name,
  support: () => StreamLanguage.define(parser),
})

const ini = by('INI', properties)
const yamlLanguage: Language = { name: 'YAML', support: yaml }
const jsonLanguage: Language = { name: 'JSON', support: json }
const sh = by('Shell', shell)
const scripts = by('JavaScript', javascript)

const languages: Readonly<Record<string, Language>> = {
  yml: yamlLanguage,
  yaml: yamlLanguage,
  sk: yamlLanguage,
  json: jsonLanguage,
  mcmeta: jsonLanguage,
  json5: scripts,
  js: scripts,
  mjs: scripts,
  ts: by('TypeScript', typescript),
  properties: by('Properties', properties),
  lang: by('Properties', properties),
  ini,
  cfg: ini,
  conf: ini,
  env: ini,
  toml: by('TOML', toml),
  sh,
  bash: sh,
  xml: by('XML', xml),
  html: by('HTML', html),
  htm: by('HTML', html),
  css: by('CSS', css),
  lua: by('Lua', lua),
  py: by('Python', python),
  java: by('Java', java),
}

/** What a file is written in, told by its name; undefined for plain text. */
export function languageOf(name: string): Language | undefined {
  const ending = endingOf(name)
  return Object.hasOwn(languages, ending) ? languages[ending] : undefined
}
