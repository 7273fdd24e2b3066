import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useState } from 'react'
import { learnGerman } from '../api/spoken-german.ts'

/** The languages, each in its own words. A further one: add it here, and the compiler names every phrase that it lacks. */
export const languages = { en: 'English', de: 'Deutsch' } as const
export type Language = keyof typeof languages

/** A phrase is a text, or makes one of what it is given. */
type Phrase = string | ((...args: never[]) => string)
export interface Phrases {
  readonly [key: string]: Phrase | Phrases
}

/** The same phrases with any wording. */
type Worded<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => string
    ? (...args: A) => string
    : T[K] extends string
      ? string
      : Worded<T[K]>
}
export type Text<T> = Readonly<Record<Language, Worded<T>>>

/** Declares what a part of the UI says, in all languages side by side: what is missing in one does not compile. */
export function phrases<const T extends Phrases>(text: { en: T } & Record<Exclude<Language, 'en'>, Worded<T>>): Text<T>
export function phrases(text: unknown): unknown {
  return text
}

interface Speech {
  language: Language
  speak(language: Language): void
  /** In which times are told; undefined for that of the device. */
  timeZone: string | undefined
  tellTimesIn(timeZone: string | undefined): void
}

const SpeechContext = createContext<Speech>({
  language: 'en',
  speak: () => undefined,
  timeZone: undefined,
  tellTimesIn: () => undefined,
})
const key = 'pharos.language'
const timeZoneKey = 'pharos.time-zone'

/** Which language is spoken, and in which time zone times are told. Both are kept in this browser alone. */
export function LanguageProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(initialLanguage)
  const [timeZone, setTimeZone] = useState(initialTimeZone)
  useEffect(() => {
    document.documentElement.lang = language
    if (language === 'de') void learnGerman()
  }, [language])
  const speak = useCallback((next: Language) => {
    localStorage.setItem(key, next)
    setLanguage(next)
  }, [])
  const tellTimesIn = useCallback((next: string | undefined) => {
    if (next === undefined) localStorage.removeItem(timeZoneKey)
    else localStorage.setItem(timeZoneKey, next)
    setTimeZone(next)
  }, [])
  const speech = useMemo(() => ({ language, speak, timeZone, tellTimesIn }), [language, speak, timeZone, tellTimesIn])
  return <SpeechContext value={speech}>{children}</SpeechContext>
}

export const useLanguage = (): Speech => use(SpeechContext)

/** What to say, in the language that is spoken. */
export function useText<T>(text: Text<T>): Worded<T> {
  return text[use(SpeechContext).language]
}

/** The same for what is not drawn by React: words of an error, say. The provider keeps it in the document. */
export const spokenLanguage = (): Language => (document.documentElement.lang === 'de' ? 'de' : 'en')

function initialLanguage(): Language {
  const wanted = [localStorage.getItem(key) ?? '', ...navigator.languages]
  for (const tag of wanted) {
    const found = (Object.keys(languages) as Language[]).find((language) => tag.toLowerCase().startsWith(language))
    if (found) return found
  }
  return 'en'
}

/** What was chosen, unless this browser knows no such zone: then telling any time would fail. */
function initialTimeZone(): string | undefined {
  const chosen = localStorage.getItem(timeZoneKey)
  return Intl.supportedValuesOf('timeZone').find((zone) => zone === chosen) ?? (chosen === 'UTC' ? 'UTC' : undefined)
}
