// What the other slices use of templates.
export { loadTemplates } from './load.ts'
export { templateHandlers, templateSourceHandlers } from './routes.ts'
export { TemplateSources } from './sources.ts'
export { keepTemplate, keptTemplate } from './store.ts'
export { Templates } from './templates.ts'
export { checkVariables, hiddenValues } from './variables.ts'
