// What a machine lacks, and what that costs.
export { examine } from './doctor.ts'
export { thisMachine } from './machine.ts'
