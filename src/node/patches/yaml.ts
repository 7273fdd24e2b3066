import { isMap, isSeq, parseDocument } from 'yaml'
import { scalar } from './json.ts'
import { depthMax, yamlAliasesMax } from './limits.ts'
import { type Setting, typed } from './patch-value.ts'
import { placesOf, stepsOf, valueAt } from './place-path.ts'

/** Comments, order and quotes of the rest stay. An empty file is an empty map. Throws an `Error` that says what is wrong. */
export function patchYaml(text: string, settings: readonly Setting[]): string {
  refuseDeep(text)
  const document = parseDocument(text, { logLevel: 'silent', uniqueKeys: false })
  const [error] = document.errors
  if (error) throw new Error(error.message.split('\n')[0])
  if (document.contents === null) document.contents = document.createNode({}) as never
  if (!isMap(document.contents) && !isSeq(document.contents)) throw new Error('it holds neither a map nor a list')
  let changed = false
  for (const setting of settings) {
    // Anew for each: one setting may make what the next one finds. Aliases are counted, so that a small file cannot become a huge one.
    const root: unknown = document.toJS({ maxAliasCount: yamlAliasesMax })
    for (const at of placesOf(root, stepsOf(setting.at))) {
      const now = valueAt(root, at)
      const next = setting.next(scalar(now))
      if (next === undefined) continue
      document.setIn(at, typed(next, now))
      changed = true
    }
  }
  return changed ? document.toString({ lineWidth: 0 }) : text
}

/** The parser goes one call deeper with each level: brackets of flow style, or indentation. */
function refuseDeep(text: string): void {
  let brackets = 0
  for (const char of text) {
    if (char === '[' || char === '{') brackets += 1
    else if (char === ']' || char === '}') brackets = Math.max(0, brackets - 1)
    if (brackets > depthMax * 4) throw new Error('it is nested too deeply')
  }
  if (/^ *(?:[-?] +){64}/m.test(text)) throw new Error('it is nested too deeply')
}
