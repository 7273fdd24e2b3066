// What the other slices use of templates.
export { loadTemplates, type Templates } from './load.ts'
export { templateHandlers } from './routes.ts'
export { keepTemplate, keptTemplate } from './store.ts'
export { checkVariables } from './variables.ts'
