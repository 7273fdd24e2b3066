import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { PanelEndpoint } from '../contract/join-token.ts'
import { Secret } from '../lib/secret.ts'
import { SftpConfig } from './sftp/index.ts'

/** What a node must know. Unknown keys are errors. */
export const NodeConfig = z.strictObject({
  /** Where its servers, their packages and its own state are. Absolute, since servers' processes are started elsewhere. */
  dataDir: z.string().refine(isAbsolute, 'must be an absolute path'),
  /** Every replica of the panel. The node dials each of them. */
  panels: z.array(PanelEndpoint).min(1).max(32),
  /** What the node proves itself with, to panels and edges. */
  credential: z
    .union([z.instanceof(Secret), z.string().min(1).max(512)])
    .transform((value) => (value instanceof Secret ? value : new Secret(value))),
  /** How it reaches edges. */
  edgeTransport: z.enum(['auto', 'direct', 'websocket']).default('auto'),
  /** `process` runs servers without a sandbox even where one works. */
  runtime: z.enum(['sandbox', 'process']).default('sandbox'),
  /** Where the container engine is: a unix socket, `auto` for the usual places, `off` for no containers. */
  docker: z.union([z.enum(['auto', 'off']), z.string().refine(isAbsolute, 'must be an absolute path')]).default('off'),
  /** `host`: containers share this machine's network, also where the engine could give them their own. */
  containerNetwork: z.enum(['bridge', 'host']).default('bridge'),
  /** Null where SFTP is not served. */
  sftp: SftpConfig.nullable().default(null),
  /** Of the software, for people. */
  version: z.string().max(100).default('unknown'),
})
export type NodeConfig = z.output<typeof NodeConfig>
export type NodeConfigInput = z.input<typeof NodeConfig>
