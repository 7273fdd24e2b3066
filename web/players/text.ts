import { phrases } from '../i18n/language.tsx'

export const playersText = phrases({
  en: {
    title: 'Players',
    count: (online: string, max: string | null) => (max === null ? online : `${online} of ${max}`),
    nobody: 'Nobody plays at this moment.',
    unnamed: 'The game does not say who they are.',
    more: (count: string) => `and ${count} more, whom the game does not name`,
    list: 'Who plays',
    shown: 'In the list of servers',
    version: 'Version',
    latency: (ms: string) => `answered in ${ms} ms`,
  },
  de: {
    title: 'Spieler',
    count: (online: string, max: string | null) => (max === null ? online : `${online} von ${max}`),
    nobody: 'Gerade spielt niemand.',
    unnamed: 'Das Spiel sagt nicht, wer es ist.',
    more: (count: string) => `und ${count} weitere, die das Spiel nicht nennt`,
    list: 'Wer spielt',
    shown: 'In der Liste der Server',
    version: 'Version',
    latency: (ms: string) => `antwortete in ${ms} ms`,
  },
})
