export { readWebFiles } from './files.ts'
export { pages } from './pages.ts'
