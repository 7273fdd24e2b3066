// What the other slices use of eggs.
export { eggCharsMax } from './egg.ts'
export { exportEgg } from './export.ts'
export { importEgg } from './import.ts'
