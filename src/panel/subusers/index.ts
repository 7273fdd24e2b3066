// What the other slices use of subusers.
export { subuserHandlers } from './routes.ts'
export { Subusers } from './subusers.ts'
