// What the other folders of the node use of the doorman.
export { Door, type Visit } from './door.ts'
export { doorPortsOf } from './door-ports.ts'
export { openAgainMs, wakesPerHourMax, wakesWindowMs } from './limits.ts'
export { startSleeper } from './sleeper.ts'
export { sleepingWords } from './words.ts'
