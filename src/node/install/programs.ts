import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'

/** Whether one of the folders has this program, and we may run it. */
export async function isIn(folders: readonly string[], program: string): Promise<boolean> {
  for (const folder of folders) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return true
  }
  return false
}
