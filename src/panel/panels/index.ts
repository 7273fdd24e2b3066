// The panels that serve from one database: who they are, so that nodes and edges link to each.
export { Panels } from './panels.ts'
