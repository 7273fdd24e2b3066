import { phrases } from '../i18n/language.tsx'

export const sessionText = phrases({
  en: {
    signIn: 'Sign in',
    signInTitle: 'Sign in to Pharos',
    email: 'E-mail address',
    password: 'Password',
    forgotten: 'Forgotten? Whoever runs this panel can give you a new invitation.',
    setupTitle: 'Welcome to Pharos',
    setupHint: 'This link works once: it makes you the owner of this installation.',
    setupGone:
      'This link has no secret in it. Start Pharos again: it prints a fresh one as long as nobody has used it.',
    passwordHint: 'At least 10 characters. A few random words do well.',
    yourName: 'What people call you',
    optional: 'optional',
    workspaceName: 'What your workspace is called',
    workspaceHint: 'Servers, tunnels and people belong to it: a team, a community, or just you.',
    slug: 'Its short name',
    slugHint: (base: string) =>
      `2 to 32 lower-case letters and digits. It stays, and becomes part of addresses: web.${base}.…`,
    begin: 'Begin',
    invitationTitle: 'You are invited',
    invitationHint: 'Choose a password for your account here, or prove the one that you have.',
    join: 'Join',
    invitationGone: 'This link has no secret in it. Ask for it once more.',
    tagline: 'Game servers, and any local port, on the internet.',
  },
  de: {
    signIn: 'Anmelden',
    signInTitle: 'Bei Pharos anmelden',
    email: 'E-Mail-Adresse',
    password: 'Passwort',
    forgotten: 'Vergessen? Wer dieses Panel betreibt, kann dir eine neue Einladung geben.',
    setupTitle: 'Willkommen bei Pharos',
    setupHint: 'Dieser Link gilt einmal: Er macht dich zum Besitzer dieser Installation.',
    setupGone:
      'In diesem Link fehlt das Geheimnis. Starte Pharos noch einmal: Es zeigt einen neuen, solange ihn niemand benutzt hat.',
    passwordHint: 'Mindestens 10 Zeichen. Ein paar zufällige Wörter sind gut.',
    yourName: 'Wie man dich nennt',
    optional: 'freiwillig',
    workspaceName: 'Wie dein Arbeitsbereich heißt',
    workspaceHint: 'Server, Tunnel und Leute gehören dazu: ein Team, eine Gemeinschaft oder nur du.',
    slug: 'Sein Kurzname',
    slugHint: (base: string) =>
      `2 bis 32 kleine Buchstaben und Ziffern. Er bleibt, und wird Teil von Adressen: web.${base}.…`,
    begin: 'Los geht’s',
    invitationTitle: 'Du bist eingeladen',
    invitationHint: 'Wähle ein Passwort für dein Konto hier, oder beweise das, das du hast.',
    join: 'Beitreten',
    invitationGone: 'In diesem Link fehlt das Geheimnis. Bitte noch einmal um ihn.',
    tagline: 'Game-Server und jeder lokale Port im Internet.',
  },
})
