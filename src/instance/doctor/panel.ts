import { join } from 'node:path'
import { type DatabaseState, readDatabaseState } from '../../panel/db/index.ts'
import { valkeyProblem } from '../../panel/rates/index.ts'
import { databasePath } from '../contents.ts'
import { type Finding, type Lack, limited, missing, ok } from './finding.ts'
import { greeting, reaches } from './reach.ts'
import type { DoctorRequest } from './request.ts'

/** Codes of second factors hold for half a minute, and panels compare times by the database's clock, in ms. */
const clockOffMsMax = 10_000

/** What a panel talks to: its database, a mail server, a store of backups. */
export async function examinePanel(request: DoctorRequest): Promise<Finding[]> {
  const { settings } = request
  const state = await databaseState(request)
  const findings = 'check' in state ? [state] : stateFindings(databaseName(request), state)
  findings.push(await sharingFinding(request, 'check' in state ? 0 : state.panels))
  const { smtpHost, smtpPort, backupsS3Endpoint } = settings
  if (smtpHost === undefined)
    findings.push(
      limited(
        'mail',
        'no mail server is set',
        'links of invitations and new passwords are shown to hand over, and alerts go to webhooks alone',
        'set smtp-host and smtp-from',
      ),
    )
  else {
    const refused = await greeting(smtpHost, smtpPort, request)
    findings.push(
      refused === null
        ? ok('mail', `the mail server ${smtpHost}:${smtpPort} answers`)
        : limited(
            'mail',
            `the mail server ${smtpHost}:${smtpPort} does not answer (${refused})`,
            'invitations and alerts wait, and are not sent',
            'start it, or look at smtp-host, smtp-port and the firewall',
          ),
    )
  }
  if (backupsS3Endpoint !== undefined) {
    const { hostname, port, protocol } = new URL(backupsS3Endpoint)
    const refused = await reaches(
      hostname.replace(/^\[|\]$/g, ''),
      Number(port) || (protocol === 'https:' ? 443 : 80),
      request,
    )
    findings.push(
      refused === null
        ? ok('backup-store', `the backup store ${backupsS3Endpoint} answers`)
        : missing(
            'backup-store',
            `the backup store ${backupsS3Endpoint} is not reached (${refused})`,
            'backups fail, and those that are there cannot be restored',
            'start it, or look at backups-s3-endpoint and the firewall',
          ),
    )
  }
  return findings
}

const databaseName = ({ settings, dataDir }: DoctorRequest): string =>
  settings.databaseUrl ? 'the PostgreSQL database' : `the database ${join(dataDir, databasePath)}`

async function databaseState(request: DoctorRequest): Promise<DatabaseState | Lack> {
  const { settings, dataDir, now } = request
  const { databaseUrl: url } = settings
  try {
    return await readDatabaseState(
      url ? { kind: 'postgres', url } : { kind: 'sqlite', file: join(dataDir, databasePath) },
      () => now,
    )
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    return missing(
      'database',
      `${databaseName(request)} cannot be read (${message || code})`,
      'no panel starts',
      url
        ? 'start PostgreSQL, or look at database-url and the firewall'
        : 'give it to the user that runs Pharos, or put a backup back with "pharos restore"',
    )
  }
}

/** What several panels count together: requests a minute, wrong passwords, letters. */
async function sharingFinding({ settings, answerMs }: DoctorRequest, panels: number): Promise<Finding> {
  const cost =
    'each panel counts requests and wrong passwords for itself: so many panels let through so many times as much'
  if (settings.valkeyUrl) {
    const problem = await valkeyProblem(settings.valkeyUrl, answerMs)
    if (problem === null) return ok('valkey', 'the Valkey or Redis answers')
    const next = 'start it, or look at valkey-url and the firewall'
    return limited('valkey', `the Valkey or Redis does not answer (${problem})`, cost, next)
  }
  if (panels < 2) return ok('valkey', 'no Valkey or Redis is set, and one panel needs none')
  const found = `${panels} panels serve from this database, and no Valkey or Redis is set`
  return limited(
    'valkey',
    found,
    cost,
    'apt-get install redis-server, and name it to each panel with PHAROS_VALKEY_URL',
  )
}

/** What the state of a database means. */
export function stateFindings(name: string, { empty, pending, newer, clockAheadMs }: DatabaseState): Finding[] {
  const findings: Finding[] = []
  if (newer.length > 0)
    findings.push(
      missing(
        'database',
        `${name} was written by a newer Pharos (it has ${newer.join(', ')})`,
        'this version does not start on it',
        'start that version again, or restore a backup made before the upgrade',
      ),
    )
  else if (empty) findings.push(ok('database', `${name} is made at the first start`))
  else if (pending.length > 0)
    findings.push(
      ok(
        'database',
        `${name} moves forward by ${pending.length} ${pending.length === 1 ? 'step' : 'steps'} at the next start (${pending.join(', ')})`,
      ),
    )
  else findings.push(ok('database', `${name} is that of this version`))
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > clockOffMsMax)
    findings.push(
      limited(
        'clock',
        `the clocks of this machine and of the database are ${Math.round(Math.abs(clockAheadMs) / 1000)} s apart`,
        'schedules and sessions end at times that differ from panel to panel',
        'keep both right: apt-get install chrony',
      ),
    )
  return findings
}
