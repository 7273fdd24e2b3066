import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { toolEnvironment } from './launch.ts'

/** How often removing is begun anew when something appears in between. */
const removeAttempts = 5

/** Removes a folder or file; a missing one is success. `rm` goes from open folder to name, follows no link, and is not stopped by depth. */
export async function removeTree(path: string): Promise<void> {
  // A write that was on its way when its folder was taken out of sight may still put a file there.
  for (let attempt = 0; attempt < removeAttempts; attempt += 1) {
    const child = spawn('rm', ['-rf', '--one-file-system', '--', path], { env: toolEnvironment, stdio: 'ignore' })
    const [code] = await once(child, 'close')
    if (code === 0) return
  }
}
