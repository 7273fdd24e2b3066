// Logs that say more or less than usual for a while: of the panels, and of nodes and edges that they tell.
export { LogLevels, logLevelHandlers } from './log-levels.ts'
