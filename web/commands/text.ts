import { phrases } from '../i18n/language.tsx'

export const commandsText = phrases({
  en: {
    placeholder: 'Go to a page or server, or act …',
    nothing: 'Nothing is called that.',
    pages: 'Pages',
    current: 'now',
    help: 'Help',
    shortcuts: 'Keyboard shortcuts',
    keys: {
      palette: 'Open the commands (⌘ K on a Mac)',
      help: 'Show these shortcuts',
      close: 'Close a window or a menu',
      next: 'Go to the next control',
      history: 'In the console: earlier commands',
      search: 'In the console’s search: find the next',
    },
  },
  de: {
    placeholder: 'Seite, Server oder Befehl …',
    nothing: 'Nichts heißt so.',
    pages: 'Seiten',
    current: 'jetzt',
    help: 'Hilfe',
    shortcuts: 'Tastenkürzel',
    keys: {
      palette: 'Die Befehle öffnen (auf einem Mac ⌘ K)',
      help: 'Diese Tastenkürzel zeigen',
      close: 'Ein Fenster oder Menü schließen',
      next: 'Zum nächsten Bedienelement',
      history: 'In der Konsole: frühere Befehle',
      search: 'In der Suche der Konsole: die nächste Stelle',
    },
  },
})
