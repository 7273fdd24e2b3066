import { phrases } from '../i18n/language.tsx'

export const activityText = phrases({
  en: {
    when: 'When',
    who: 'Who',
    what: 'What',
    from: 'From',
    outcome: 'Outcome',
    outcomes: { done: 'done', denied: 'denied', failed: 'failed' },
    via: { session: 'signed in', token: 'with a key', schedule: 'by a schedule', sftp: 'by SFTP' },
    nobody: 'nobody known',
    itself: 'Pharos itself',
    none: 'Nothing has happened yet',
    noneHint: 'What people do here is listed, also what was refused.',
    older: 'Show older entries',
  },
  de: {
    when: 'Wann',
    who: 'Wer',
    what: 'Was',
    from: 'Von wo',
    outcome: 'Ergebnis',
    outcomes: { done: 'erledigt', denied: 'verweigert', failed: 'misslungen' },
    via: { session: 'angemeldet', token: 'mit einem Schlüssel', schedule: 'durch einen Zeitplan', sftp: 'per SFTP' },
    nobody: 'niemand Bekanntes',
    itself: 'Pharos selbst',
    none: 'Es ist noch nichts geschehen',
    noneHint: 'Was hier getan wird, steht hier, auch was verweigert wurde.',
    older: 'Ältere Einträge zeigen',
  },
})
