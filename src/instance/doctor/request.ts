import type { Secret } from '../../lib/secret.ts'
import type { Machine } from './machine.ts'
import type { Waiting } from './reach.ts'

/** What a machine can be asked to be; `up` is panel, node and edge together. */
export type DoctorRole = 'up' | 'panel' | 'node' | 'edge'

interface Range {
  first: number
  last: number
}

/** The settings that a look at the machine depends on, as the roles take them. */
export interface DoctorSettings {
  host: string
  port: number
  databaseUrl: Secret | undefined
  valkeyUrl: Secret | undefined
  nodePorts: Range
  smtpHost: string | undefined
  smtpPort: number
  backupsS3Endpoint: string | undefined
  edgeListenHost: string
  edgeHost: string
  edgeBase: string
  edgeScheme: 'http' | 'https'
  edgeHttpPort: number
  edgeLinkUdpPort: 'same' | 'none' | number
  edgeMinecraftPort: number
  edgePorts: Range
  edgeCertificate: string | undefined
  edgePanels: readonly { host: string; port: number }[]
  sftpHost: string
  sftpPort: 'none' | number
  dockerSocket: string
  metricsAddress: { host: string; port: number } | undefined
}

export interface DoctorRequest extends Waiting {
  role: DoctorRole
  settings: DoctorSettings
  dataDir: string
  /** The folder of the program. */
  root: string
  machine: Machine
  /** Also whether the edge is reached at its public name. */
  checkEdge: boolean
  now: number
  /** How far it is. */
  say(line: string): void
}

/** Whether the machine is to be this part. */
export const isTo = ({ role }: Pick<DoctorRequest, 'role'>, part: Exclude<DoctorRole, 'up'>): boolean =>
  role === 'up' || role === part
