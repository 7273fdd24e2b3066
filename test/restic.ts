import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'

/**
 * Skips the test where restic or its sandbox is not installed, or the machine allows no sandbox, and says so. What is merely not
 * installed is a failure under CI=true.
 */
export function needsRestic(t: TestContext): boolean {
  for (const [program, name] of [
    ['restic', 'restic'],
    ['bwrap', 'bubblewrap'],
  ] as const)
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    } catch (cause) {
      if (process.env.CI === 'true') throw new Error(`${name} is not installed`, { cause })
      t.skip(`${name} is not installed: apt-get install ${name}`)
      return false
    }
  try {
    execFileSync('bwrap', ['--ro-bind', '/', '/', '--unshare-pid', '--unshare-net', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    t.skip('this machine allows no sandbox')
    return false
  }
}
