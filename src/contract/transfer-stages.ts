/** Where a server is on its way from one node to another; the last three are ends. */
export const transferStages = [
  'waiting',
  'stopping',
  'copying',
  'verifying',
  'databases',
  'switching',
  'done',
  'failed',
  'cancelled',
] as const
export type TransferStage = (typeof transferStages)[number]
