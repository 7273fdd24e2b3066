// What the other slices use of consoles.
export { Consoles } from './console.ts'
export { ConsoleFeeds } from './feed.ts'
export { charsOf } from './line.ts'
export { consoleHandlers, consoleOperations } from './routes.ts'
