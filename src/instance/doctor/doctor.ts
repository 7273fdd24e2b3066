import { examineClock } from './clock.ts'
import { examineEdge } from './edge.ts'
import type { Finding } from './finding.ts'
import { examineFolder } from './folder.ts'
import { examineLimits } from './limits.ts'
import { examineNode } from './node.ts'
import { examinePanel } from './panel.ts'
import { examinePorts } from './ports.ts'
import { examineProgram } from './program.ts'
import { type DoctorRequest, isTo } from './request.ts'

export interface Diagnosis {
  findings: Finding[]
  /** Whether what was asked for can run: nothing that it needs is missing. */
  able: boolean
}

/** Looks at the machine for what a role needs, and says what is missing and what that costs. Installs nothing, changes nothing. */
export async function examine(request: DoctorRequest): Promise<Diagnosis> {
  const findings: Finding[] = []
  const looks: readonly [what: string, look: (request: DoctorRequest) => Promise<Finding[]>, wanted: boolean][] = [
    ['the program', examineProgram, true],
    ['the data folder', examineFolder, true],
    ['the limits of the kernel', examineLimits, true],
    ['the clock', examineClock, true],
    ['ports', examinePorts, true],
    ['the database, mail and stores', examinePanel, isTo(request, 'panel')],
    ['the sandbox, containers and tools', examineNode, isTo(request, 'node')],
    ['the edge', examineEdge, isTo(request, 'edge')],
  ]
  for (const [what, look, wanted] of looks) {
    if (!wanted) continue
    request.signal.throwIfAborted()
    request.say(`looking at ${what}`)
    findings.push(...(await look(request)))
  }
  return { findings, able: findings.every(({ state }) => state !== 'missing') }
}
