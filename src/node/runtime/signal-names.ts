import { constants } from 'node:os'

/** The name of a signal number, such as `SIGKILL` for 9; null when there is none. */
export function signalName(number: number): string | null {
  for (const [name, value] of Object.entries(constants.signals)) if (value === number) return name
  return null
}
