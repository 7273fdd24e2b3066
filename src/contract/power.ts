/** What a server can be, and what may be done with it then. Without schemas: the pages disable their buttons by it. */

export const serverStatuses = [
  'installing',
  'install_failed',
  'offline',
  'starting',
  'running',
  'stopping',
  'restoring',
  'transferring',
  'suspended',
  'sleeping',
  'unknown',
] as const
export type ServerStatus = (typeof serverStatuses)[number]

export const powerActions = ['start', 'stop', 'restart', 'kill'] as const
export type PowerAction = (typeof powerActions)[number]

const installing = 'It is being installed: wait until that has finished.'
const installFailed = 'Its installation failed: reinstall it first.'
const restoring = 'A backup is being restored: wait until that has finished.'
const transferring = 'It is being moved to another node: wait until that has finished.'
const suspended = 'It is suspended: ask the people who run this installation.'
const unknown = 'Its node is away: try again once the node is back.'
const stillStopping = 'It is still stopping: start it once it is offline.'
const notRunning = 'It is not running: start it first.'
const sleeping = 'It is sleeping: start it first.'
const stopFirst = 'It is not stopped: stop it first.'
const mayUsePort = 'It may be using the port: stop it first.'
const mayRunThere = 'Its node is away, and the server may be running there: try again once the node is back.'

/** Why something cannot be done now, and what to do instead. A closed list, so that pages say all of it in every language. */
export type Refusal =
  | typeof installing
  | typeof installFailed
  | typeof restoring
  | typeof transferring
  | typeof suspended
  | typeof unknown
  | typeof stillStopping
  | typeof notRunning
  | typeof sleeping
  | typeof stopFirst
  | typeof mayUsePort
  | typeof mayRunThere

/** `do` goes ahead. `done` is so already: asking again succeeds and changes nothing. */
export type Verdict = 'do' | 'done' | Refusal

/** Which statuses allow which power action: the panel refuses with these words, a UI disables its buttons by the same table. */
export const powerRules: Readonly<Record<PowerAction, Readonly<Record<ServerStatus, Verdict>>>> = {
  start: {
    installing,
    install_failed: installFailed,
    offline: 'do',
    starting: 'done',
    running: 'done',
    stopping: stillStopping,
    restoring,
    transferring,
    suspended,
    sleeping: 'do',
    unknown,
  },
  stop: {
    installing,
    install_failed: 'done',
    offline: 'done',
    starting: 'do',
    running: 'do',
    stopping: 'done',
    restoring,
    transferring,
    suspended: 'done',
    sleeping: 'do',
    unknown,
  },
  restart: {
    installing,
    install_failed: installFailed,
    offline: 'do',
    starting: 'do',
    running: 'do',
    stopping: 'do',
    restoring,
    transferring,
    suspended,
    sleeping: 'do',
    unknown,
  },
  kill: {
    installing,
    install_failed: 'done',
    offline: 'done',
    starting: 'do',
    running: 'do',
    stopping: 'do',
    restoring,
    transferring,
    suspended: 'do',
    sleeping: 'do',
    unknown,
  },
}

/** Which statuses take a console command. */
export const commandRules: Readonly<Record<ServerStatus, Verdict>> = {
  installing,
  install_failed: installFailed,
  offline: notRunning,
  starting: 'do',
  running: 'do',
  stopping: 'do',
  restoring,
  transferring,
  suspended,
  sleeping,
  unknown,
}

/** Which statuses allow the installation to run again. */
export const reinstallRules: Readonly<Record<ServerStatus, Verdict>> = {
  installing,
  install_failed: 'do',
  offline: 'do',
  starting: stopFirst,
  running: stopFirst,
  stopping: stopFirst,
  restoring,
  transferring,
  suspended,
  sleeping: 'do',
  unknown,
}

/** Which statuses allow a port to be taken away from the server, or exchanged for another one. */
export const portRules: Readonly<Record<ServerStatus, Verdict>> = {
  installing: 'do',
  install_failed: 'do',
  offline: 'do',
  starting: mayUsePort,
  running: mayUsePort,
  stopping: mayUsePort,
  restoring: 'do',
  transferring,
  suspended,
  sleeping: 'do',
  unknown: mayRunThere,
}

/** How the message of a server begins that sleeps as it should: pages say the rest in their own language. */
export const sleepingBegins = 'Sleeping:'
