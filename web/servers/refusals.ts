import type { Verdict } from '../../src/contract/power.ts'
import { german } from '../api/spoken-german.ts'
import { useLanguage } from '../i18n/language.tsx'

/** Why something cannot be done now, in the language that is spoken; null where it can, `already` where it is so. */
export function useRefusal(): (verdict: Verdict, already?: string) => string | null {
  const { language } = useLanguage()
  return (verdict, already) =>
    verdict === 'do'
      ? null
      : verdict === 'done'
        ? (already ?? null)
        : language === 'de'
          ? (german.words?.refusals[verdict] ?? verdict)
          : verdict
}
