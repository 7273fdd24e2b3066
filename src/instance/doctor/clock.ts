import { type Finding, limited, missing, ok } from './finding.ts'
import type { DoctorRequest } from './request.ts'

/** This program did not exist before, in ms since 1970: 1 January 2026. */
const earliest = Date.UTC(2026, 0, 1)

/** Programs that keep a clock right, by what stands in their `comm`, which the kernel cuts at fifteen letters. */
const keepers = ['chronyd', 'ntpd', 'systemd-timesyn', 'openntpd', 'ptp4l', 'phc2sys']

/** The clock: codes of second factors, certificates and links that end all depend on it. */
export async function examineClock({ machine, now }: DoctorRequest): Promise<Finding[]> {
  const said = `the clock says ${new Date(now).toISOString()}`
  if (now < earliest)
    return [
      missing(
        'clock',
        said,
        'certificates count as not yet valid, and codes of second factors as wrong',
        'set the clock: apt-get install chrony',
      ),
    ]
  if (await machine.text('/run/.containerenv').then((there) => there !== null))
    return [ok('clock', `${said}; the host keeps it`)]
  if ((await machine.place('/.dockerenv')) === 'file') return [ok('clock', `${said}; the host keeps it`)]
  if ((await machine.place('/run/systemd/timesync/synchronized')) !== 'nothing')
    return [ok('clock', `${said}; it is kept right`)]
  for (const name of await machine.processes())
    if (keepers.includes(name)) return [ok('clock', `${said}; ${name} keeps it right`)]
  return [
    limited(
      'clock',
      `${said}; nothing was found here that keeps it right`,
      'half a minute off, and codes of second factors are refused; a quarter of an hour, and S3 stores refuse requests',
      'apt-get install chrony, unless a host keeps the clock of this machine',
    ),
  ]
}
