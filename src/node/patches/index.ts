export { applyPatches } from './apply.ts'
