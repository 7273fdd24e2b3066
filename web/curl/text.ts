import { phrases } from '../i18n/language.tsx'

export const curlText = phrases({
  en: {
    title: 'Show this as curl commands',
    hint: 'Whatever this page shows or does, a key can, too. Make one under “API keys” and put it into PHAROS_API_KEY. Values that were sent stand here as “…” and 0.',
    none: 'This page has asked the panel for nothing yet.',
  },
  de: {
    title: 'Als curl-Befehle zeigen',
    hint: 'Was diese Seite zeigt oder tut, kann auch ein Schlüssel. Erstelle einen unter „API-Schlüssel“ und setze ihn in PHAROS_API_KEY ein. Für Werte, die gesendet wurden, stehen hier „…“ und 0.',
    none: 'Diese Seite hat das Panel noch nichts gefragt.',
  },
})
