import { ApiError } from '../../src/client/index.ts'
import type { FieldProblem } from '../../src/contract/errors.ts'
import { phrases, spokenLanguage } from '../i18n/language.tsx'
import { german } from './spoken-german.ts'

const errorWords = phrases({
  en: {
    unreachable: 'The panel does not answer. Check your connection, and try again in a moment.',
    internal: (request: string) =>
      `Something failed in the panel. Try again; if it happens again, tell the people who run it this number: ${request}`,
    expected: (problem: string, expected: string) => `${problem} (${expected})`,
  },
  de: {
    unreachable: 'Das Panel antwortet nicht. Prüfe deine Verbindung und versuche es gleich noch einmal.',
    internal: (request: string) =>
      `Im Panel ist etwas misslungen. Versuche es noch einmal; geschieht es wieder, nenne den Betreibern diese Nummer: ${request}`,
    expected: (problem: string, expected: string) => `${problem} (${expected})`,
  },
})

/** What went wrong: the API’s own words, which name the thing and the next move, in the language that is spoken where they are known in it. */
export function errorText(error: unknown): string {
  const t = errorWords[spokenLanguage()]
  const problems = problemsOf(error)
  if (problems.length > 0)
    return problems.map((each) => `${each.where.replace(/^body\./, '')}: ${problemText(each)}`).join('\n')
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error)
  // A request that reached nobody, and one that something in between has answered.
  if (error.code === 'unreachable') return t.unreachable
  if (error.code === 'internal') return t.internal(error.requestId ?? '–')
  return saidByPanel(error.message)
}

/** A sentence of the panel, in the language that is spoken where it is known in it. */
export const saidByPanel = (sentence: string): string =>
  (spokenLanguage() === 'de' && german.words?.sentenceIn(sentence)) || sentence

/** What is wrong with one field of a form that was refused. */
export function fieldError(error: unknown, field: string): string | undefined {
  const found = problemsOf(error).find(({ where }) => where === `body.${field}` || where.startsWith(`body.${field}.`))
  return found && sentence(problemText(found))
}

const refusedRequest = 'Invalid request: '

/** Replies about servers have no details: what they say of each field is in their sentence. */
function problemsOf(error: unknown): readonly FieldProblem[] {
  if (!(error instanceof ApiError)) return []
  if (error.details.length > 0 || !error.message.startsWith(refusedRequest)) return error.details
  const parts = error.message.slice(refusedRequest.length).split('; ')
  const read = parts.map((part) => /^(body\.\S+) (.+?)(?: \(expected (.+)\))?$/.exec(part))
  return read.flatMap((found) => {
    const [, where, problem, expected] = found ?? []
    return where && problem ? [{ where, problem, ...(expected ? { expected } : {}) }] : []
  })
}

function problemText({ problem, expected }: FieldProblem): string {
  const language = spokenLanguage()
  const say = (text: string): string => (language === 'de' && german.words?.problemIn(text)) || text
  return expected ? errorWords[language].expected(say(problem), say(expected)) : say(problem)
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?)]$/.test(text) ? '' : '.'}`
