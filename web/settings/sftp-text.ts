import { phrases } from '../i18n/language.tsx'

export const sftpText = phrases({
  en: {
    title: 'SFTP',
    hint: 'For file managers and programs. The password is yours, an API key, or none with an SSH key of your account.',
    user: 'User name',
    host: 'Host',
    port: 'Port',
    fingerprint: 'Host key',
    unknownHost: 'the address of its machine, which nobody has told the panel',
    off: 'SFTP is turned off on the machine of this server.',
    addKey: 'Your SSH keys',
  },
  de: {
    title: 'SFTP',
    hint: 'Für Dateimanager und Programme. Das Passwort ist deines, ein API-Schlüssel, oder keines mit einem SSH-Schlüssel deines Kontos.',
    user: 'Benutzername',
    host: 'Host',
    port: 'Port',
    fingerprint: 'Host-Schlüssel',
    unknownHost: 'die Adresse seiner Maschine, die dem Panel niemand gesagt hat',
    off: 'Auf der Maschine dieses Servers ist SFTP ausgeschaltet.',
    addKey: 'Deine SSH-Schlüssel',
  },
})
