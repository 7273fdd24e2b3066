// What a machine lacks, and what that costs.
export { type Diagnosis, examine } from './doctor.ts'
export { thisMachine } from './machine.ts'
