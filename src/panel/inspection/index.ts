export { captureParts } from './settings.ts'
