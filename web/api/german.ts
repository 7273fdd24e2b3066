import type { Refusal } from '../../src/contract/power.ts'

/**
 * What the panel says most, in German. It speaks English, since programs read it as well; what is not in here is shown as it came. A
 * star stands for a name or a number: `$1` is the first of them.
 */
const sentences = {
  // Signing in, and the first minute.
  'The e-mail address or the password is wrong': 'Die E-Mail-Adresse oder das Passwort ist falsch.',
  'The current password is wrong': 'Das jetzige Passwort ist falsch.',
  'Too many attempts. Try again in * minutes.': 'Zu viele Versuche. Versuche es in $1 Minuten noch einmal.',
  'Too many people are signing in at this moment. Try again in a few seconds.':
    'Gerade melden sich zu viele Leute an. Versuche es in ein paar Sekunden noch einmal.',
  'This took too long, or was used already. Sign in again from the beginning.':
    'Das hat zu lange gedauert oder wurde schon benutzt. Melde dich von vorn an.',
  'This set-up link is not the current one. The panel prints the current one when it starts.':
    'Dieser Einrichtungslink ist nicht der aktuelle. Das Panel zeigt den aktuellen, wenn es startet.',
  'This panel is already set up. Sign in, or ask one of its administrators for an invitation.':
    'Dieses Panel ist schon eingerichtet. Melde dich an, oder bitte jemanden aus der Verwaltung um eine Einladung.',
  'This invitation is not valid any more. Ask for a new one: each works once, for a week.':
    'Diese Einladung gilt nicht mehr. Bitte um eine neue: Jede gilt einmal, und eine Woche lang.',
  '* has an account here, and this is not its password':
    '$1 hat hier schon ein Konto, und das ist nicht dessen Passwort.',
  'This is not the code that the app shows now. Check that the clock of the phone is right.':
    'Das ist nicht der Code, den die App jetzt zeigt. Prüfe, ob die Uhr des Telefons stimmt.',
  'Too many *: at most * a minute. Try again in * s.':
    'Das war zu viel auf einmal: Höchstens $2 gehen in der Minute. Versuche es in $3 s noch einmal.',
  // What somebody may do.
  'Only an administrator of this installation may do this': 'Das darf nur die Verwaltung dieser Installation.',
  'This needs *, which your role in workspace * does not have. Ask one of its owners.':
    'Dafür braucht es $1, was deine Rolle im Arbeitsbereich $2 nicht hat. Frage einen der Besitzer.',
  'This needs * on server *, which you were not given. Ask its owner.':
    'Dafür braucht es $1 auf dem Server $2, was du nicht hast. Frage den Besitzer.',
  '* is suspended: ask the people who run this installation.':
    '$1 ist gesperrt: Frage die Betreiber dieser Installation.',
  '* is suspended: ask the people who run this installation. It can only be looked at.':
    '$1 ist gesperrt und kann nur angesehen werden: Frage die Betreiber dieser Installation.',
  'You can only give and take away what you hold yourself, which * is not.':
    'Du kannst nur geben und nehmen, was du selbst hast: $1 gehört nicht dazu.',
  'You cannot add yourself: you have the server already.':
    'Dich selbst brauchst du nicht hinzuzufügen: Du hast den Server schon.',
  '* owns * and holds every permission.': '$1 besitzt $2 und darf alles.',
  '* has * already: change their permissions instead.': '$1 hat $2 schon: Ändere stattdessen die Berechtigungen.',
  // Servers and their machines.
  'Node * is away. Try again once it is back; its servers go on without the panel.':
    'Die Maschine $1 ist weg. Versuche es noch einmal, wenn sie wieder da ist; ihre Server laufen ohne das Panel weiter.',
  'Node * does not answer. Try again in a moment.': 'Die Maschine $1 antwortet nicht. Versuche es gleich noch einmal.',
  'No node is connected: *': 'Keine Maschine ist verbunden: Füge unter Verwaltung → Maschinen eine hinzu.',
  'Server * not found': 'Diesen Server gibt es nicht (mehr).',
  'Server * is not running; start it before sending commands':
    'Der Server $1 läuft nicht: Starte ihn, dann nimmt er Befehle.',
  'The server is not running; start it before sending commands':
    'Der Server läuft nicht: Starte ihn, dann nimmt er Befehle.',
  'Server * uses * MiB of disk and may use * MiB; delete files before starting it':
    'Der Server $1 belegt $2 MiB Platte und darf $3 MiB: Lösche Dateien, dann starte ihn.',
  '* has * ports and may have *. Remove one, or ask the people who run this installation for more.':
    '$1 hat $2 Ports und darf $3 haben. Gib einen auf, oder bitte die Betreiber dieser Installation um mehr.',
  'Port * is the primary one of *, which always has one: make another port primary first.':
    'Port $1 ist der Haupt-Port von $2, und einen gibt es immer: Mache erst einen anderen zum Haupt-Port.',
  'Cannot * *. *': 'Das geht mit $2 gerade nicht. $3',
  'It crashed with *. It is started again in * seconds.':
    'Er ist abgestürzt ($1). In $2 Sekunden wird er wieder gestartet.',
  'It crashed with *. That was crash * within * minutes: it stays off until you start it.':
    'Er ist abgestürzt ($1). Das war Absturz $2 in $3 Minuten: Er bleibt aus, bis du ihn startest.',
  'It crashed with *': 'Er ist abgestürzt ($1).',
  'The people who run this installation suspended it.': 'Die Betreiber dieser Installation haben ihn gesperrt.',
  'Node * is away; the server may still be running there.':
    'Die Maschine $1 ist weg; vielleicht läuft der Server dort weiter.',
  'Waiting for node * to begin.': 'Gleich fängt die Maschine $1 an.',
  'Node * is back and has not reported this server yet.':
    'Die Maschine $1 ist wieder da und hat von diesem Server noch nichts gesagt.',
  // Files.
  '* exists already; choose another name or remove it first':
    '$1 gibt es schon: Wähl einen anderen Namen, oder lösche es erst.',
  'The file has changed since you read it. Read it again, then write.':
    'Die Datei hat sich geändert, seit du sie gelesen hast. Lies sie noch einmal, dann schreibe.',
  "* could not be written: the server's disk limit is reached. Delete some files, or raise the limit.":
    '$1 konnte nicht geschrieben werden: Die Platte des Servers ist voll. Lösche Dateien, oder erhöhe die Grenze.',
  '* could not be written: the disk of this node is full; free some space and try again':
    '$1 konnte nicht geschrieben werden: Die Platte der Maschine ist voll. Schaffe Platz und versuche es noch einmal.',
  "The server's disk limit of * would be exceeded: * are used, * more are needed. Delete some files, or raise the limit.":
    'Die Platte des Servers reicht nicht: Von $1 sind $2 belegt, und es braucht noch $3. Lösche Dateien, oder erhöhe die Grenze.',
  '* not found': '$1 gibt es nicht (mehr).',
  'Only http and https URLs are fetched': 'Nur URLs mit http und https werden geholt.',
  '* is not on the public internet; only public addresses are fetched':
    '$1 liegt nicht im öffentlichen Internet; nur von dort wird geholt.',
  '* answered * instead of the file': '$1 antwortete mit $2 statt mit der Datei.',
  // Backups, databases, schedules.
  'Backup * is locked: unlock it before you delete it.': 'Das Backup $1 ist gesperrt: Entsperre es, dann lösche es.',
  'Backup * is still being made: try again when it is ready.':
    'Das Backup $1 entsteht noch: Versuche es noch einmal, wenn es fertig ist.',
  'Backup * failed: there is nothing in it. Make another one.':
    'Das Backup $1 ist misslungen, es ist nichts darin. Mache ein neues.',
  'Cannot restore into * while it is *: stop it first.':
    'In $1 lässt sich nichts zurückspielen, während er läuft ($2): Halte ihn zuerst an.',
  'Every database host is full: ask the people who run this installation.':
    'Alle Datenbank-Server sind voll: Frage die Betreiber dieser Installation.',
  'Databases need MariaDB on this node: have root run "*" there, then try again.':
    'Datenbanken brauchen MariaDB auf dieser Maschine: Lass dort root „$1“ ausführen, dann versuche es noch einmal.',
  'MariaDB is being installed on this node (*). Try again in a minute.':
    'MariaDB wird auf dieser Maschine gerade installiert ($1). Versuche es in einer Minute noch einmal.',
  'There is a database * already: choose another name.': 'Es gibt schon eine Datenbank $1: Wähl einen anderen Namen.',
  'A run of this schedule is under way. Wait until it has ended.':
    'Dieser Zeitplan läuft gerade. Warte, bis das zu Ende ist.',
  "Its tasks need *, which you do not hold here. Ask the server's owner.":
    'Seine Aufgaben brauchen $1, was du hier nicht darfst. Frage den Besitzer des Servers.',
} as const

/** What is wrong with a field, and what was expected there. */
const problems = {
  'is missing': 'fehlt',
  'is too short': 'ist zu kurz',
  'is too long': 'ist zu lang',
  'is too small': 'ist zu klein',
  'is too large': 'ist zu groß',
  'has the wrong form': 'hat die falsche Form',
  'is not one of the allowed values': 'ist keiner der erlaubten Werte',
  'is not a known field': 'ist kein bekanntes Feld',
  'at least * characters': 'mindestens $1 Zeichen',
  'at most * characters': 'höchstens $1 Zeichen',
  'at least * entries': 'mindestens $1 Einträge',
  'at most * entries': 'höchstens $1 Einträge',
  'at least *': 'mindestens $1',
  'at most *': 'höchstens $1',
  'more than *': 'mehr als $1',
  'less than *': 'weniger als $1',
  'an e-mail address': 'eine E-Mail-Adresse',
  'the documented form': 'wie beschrieben',
  'a whole number': 'eine ganze Zahl',
  'whole number': 'eine ganze Zahl',
  'must have at least 10 characters': 'braucht mindestens 10 Zeichen',
  'must not contain control characters': 'darf keine Steuerzeichen enthalten',
  'must be 2 to 32 lower-case letters and digits, beginning with a letter':
    'muss aus 2 bis 32 kleinen Buchstaben und Ziffern bestehen und mit einem Buchstaben beginnen',
} as const

/** Why something cannot be done with a server now: all of what the contract says. */
export const refusals: Record<Refusal, string> = {
  'It is being installed: wait until that has finished.': 'Er wird gerade installiert: Warte, bis das fertig ist.',
  'Its installation failed: reinstall it first.': 'Seine Installation ist misslungen: Installiere ihn erst neu.',
  'A backup is being restored: wait until that has finished.':
    'Gerade wird ein Backup zurückgespielt: Warte, bis das fertig ist.',
  'It is being moved to another node: wait until that has finished.':
    'Er zieht gerade auf eine andere Maschine um: Warte, bis das fertig ist.',
  'It is suspended: ask the people who run this installation.':
    'Er ist gesperrt: Frage die Betreiber dieser Installation.',
  'Its node is away: try again once the node is back.':
    'Seine Maschine ist weg: Versuche es noch einmal, wenn sie wieder da ist.',
  'It is still stopping: start it once it is offline.': 'Er hält noch an: Starte ihn, sobald er aus ist.',
  'It is not running: start it first.': 'Er läuft nicht: Starte ihn zuerst.',
  'It is sleeping: start it first.': 'Er schläft: Starte ihn zuerst.',
  'It is not stopped: stop it first.': 'Er läuft noch: Halte ihn zuerst an.',
  'It may be using the port: stop it first.': 'Vielleicht benutzt er den Port: Halte ihn zuerst an.',
  'Its node is away, and the server may be running there: try again once the node is back.':
    'Seine Maschine ist weg, und vielleicht läuft er dort: Versuche es noch einmal, wenn sie wieder da ist.',
}

export const sentenceIn = (english: string): string => translated(sentences, english)
export const problemIn = (english: string): string => translated(problems, english)

/** By the first text that fits. */
function translated(texts: Readonly<Record<string, string>>, english: string): string {
  for (const [known, german] of Object.entries(texts)) {
    const found = patternOf(known).exec(english)
    if (found) return german.replace(/\$(\d)/g, (_all, position) => said(found[Number(position)] ?? ''))
  }
  return english
}

const patternOf = (text: string): RegExp =>
  new RegExp(`^${text.replace(/[\\^$.+?()[\]{}|/-]/g, '\\$&').replaceAll('*', '(.+?)')}$`)

/** A reason in the middle of a sentence is said in German, a name as it is. */
const said = (part: string): string => (Object.hasOwn(refusals, part) ? refusals[part as Refusal] : part)
