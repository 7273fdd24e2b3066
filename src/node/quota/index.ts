// What the rest of the node uses of quotas.
export { noQuotas, openQuotas, type Quotas } from './quotas.ts'
