import type { Connection } from '../../command.ts'

type Change = Awaited<ReturnType<Connection['client']['logLevels']>>['levels'][number]

/** How the log of a part differs from what it was started with; null where it does not. */
export function logWords(levels: readonly Change[], part: string): string | null {
  const found = levels.find((one) => one.part === part)
  return found ? `${found.level} until ${found.until}` : null
}
