// How often something may happen: for one panel in its memory, for several in a Valkey or Redis that they share.
export { RateLimit, type Taken } from './rate-limit.ts'
export { type Limit, openRates, ownRates, type Rates } from './rates.ts'
export { valkeyProblem } from './valkey.ts'
