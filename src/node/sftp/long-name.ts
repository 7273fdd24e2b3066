import type { Stats } from 'node:fs'

/** One line as `ls -l` writes it: what some clients show as it is. Its name is bytes, since names are. */
export function longNameOf(name: Buffer, facts: Stats): Buffer {
  const columns = [
    modeText(facts),
    String(facts.nlink).padStart(4),
    String(facts.uid).padEnd(8),
    String(facts.gid).padEnd(8),
    String(facts.size).padStart(12),
    timeText(facts.mtime),
    '',
  ]
  return Buffer.concat([Buffer.from(columns.join(' ')), name])
}

function modeText(facts: Stats): string {
  const kind = facts.isDirectory() ? 'd' : facts.isSymbolicLink() ? 'l' : facts.isFile() ? '-' : '?'
  const bits = [...'rwxrwxrwx'].map((letter, index) => ((facts.mode >> (8 - index)) & 1 ? letter : '-'))
  return kind + bits.join('')
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const halfYearMs = 182 * 24 * 60 * 60_000

/** With the time where it is of the last half year, with the year where it is not. In UTC. */
function timeText(at: Date): string {
  const day = `${months[at.getUTCMonth()] ?? ''} ${String(at.getUTCDate()).padStart(2)}`
  const ago = Date.now() - at.getTime()
  return ago >= 0 && ago < halfYearMs ? `${day} ${at.toISOString().slice(11, 16)}` : `${day}  ${at.getUTCFullYear()}`
}
