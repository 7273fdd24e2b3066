import { phrases } from '../i18n/language.tsx'

export const uiText = phrases({
  en: {
    cancel: 'Cancel',
    close: 'Close',
    copy: 'Copy',
    copied: 'Copied',
    loading: 'Loading',
    retry: 'Try again',
    menu: 'More actions',
    typeToConfirm: (name: string) => `Type ${name} to confirm`,
    required: 'required',
    search: 'Search',
    reveal: 'Show',
    hide: 'Hide',
  },
  de: {
    cancel: 'Abbrechen',
    close: 'Schließen',
    copy: 'Kopieren',
    copied: 'Kopiert',
    loading: 'Wird geladen',
    retry: 'Noch einmal versuchen',
    menu: 'Weitere Aktionen',
    typeToConfirm: (name: string) => `Zum Bestätigen ${name} eingeben`,
    required: 'erforderlich',
    search: 'Suchen',
    reveal: 'Zeigen',
    hide: 'Verbergen',
  },
})
