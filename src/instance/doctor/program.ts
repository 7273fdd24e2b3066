import { join } from 'node:path'
import { type Finding, limited, missing, ok } from './finding.ts'
import { type DoctorRequest, isTo } from './request.ts'

/** The oldest Node.js that runs the bundle: it is built for this one. */
const nodeMajorMin = 24

/** The program itself: what runs it, whether it is whole, and as whom. */
export async function examineProgram(request: DoctorRequest): Promise<Finding[]> {
  const { machine, root } = request
  const findings: Finding[] = []
  const { nodeVersion, uid } = machine
  findings.push(
    Number.parseInt(nodeVersion, 10) >= nodeMajorMin
      ? ok('node.js', `Node.js ${nodeVersion}`)
      : missing(
          'node.js',
          `Node.js ${nodeVersion}`,
          `Pharos is made for Node.js ${nodeMajorMin} and later`,
          'start it with "npm start", which brings the right one, or install it from nodejs.org',
        ),
  )
  if (isTo(request, 'panel'))
    findings.push(
      (await machine.place(join(root, 'dist', 'web', 'index.html'))) === 'file'
        ? ok('pages', 'the pages are built')
        : limited(
            'pages',
            'the pages are not built',
            'the panel serves its API alone',
            'run "npm start" once in the clone',
          ),
    )
  findings.push(userFinding(uid, isTo(request, 'node')))
  return findings
}

function userFinding(uid: number | null, node: boolean): Finding {
  if (uid === 0)
    return node
      ? ok('user', 'root: servers get users of their own')
      : limited(
          'user',
          'root, which neither panel nor edge needs',
          'whoever broke into Pharos would have the whole machine',
          'run it as a user of its own; the systemd units in packaging/ do',
        )
  if (!node) return ok('user', 'an ordinary user')
  return limited(
    'user',
    'an ordinary user',
    'all servers run as this one user, so that they can signal each other where they are not in a sandbox; packages that templates need are not installed by themselves; quotas of the file system are not used',
    'run the node as root, or accept that where you trust your servers',
  )
}
