import { z } from 'zod'
import { Email, Port } from '../contract/fields.ts'
import type { Secret } from '../lib/secret.ts'

/** An address, or a network as `10.0.0.0/8`. */
const Network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])

/** How a panel is set up. Unknown keys are refused: a misspelt one would otherwise silently do nothing. */
export const PanelConfig = z.strictObject({
  /** The address it listens on. */
  host: z.string().min(1).max(253).default('127.0.0.1'),
  /** The port for pages, API and links; 0 for any free one. */
  port: z.int().min(0).max(65_535),
  /** How people reach it, where a proxy or a name stands in front of it: `https://panel.example.org`. */
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .transform((url) => new URL(url).origin)
    .optional(),
  /** Where nodes and edges dial this panel itself; without it the name in `publicUrl`, or the address it listens on, and its port. */
  linkAddress: z.strictObject({ host: z.string().min(1).max(253), port: Port.nullable() }).optional(),
  /** Holds its link key, the first-run secret, and the SQLite file unless `database` says otherwise. */
  dataDir: z.string().min(1),
  database: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('sqlite'), file: z.string().min(1) }),
    /** Its URL is a secret. */
    z.strictObject({ kind: z.literal('postgres') }),
  ]),
  /** The ports that servers get on a node, unless the node was given others. */
  nodePorts: z
    .strictObject({ first: Port, last: Port })
    .refine(({ first, last }) => first <= last, 'first must not be above last')
    .default({ first: 25_565, last: 25_664 }),
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks. */
  trustedProxies: z.array(z.string()).default([]),
  backups: z
    .strictObject({
      /** How many a server may have unless it is given another limit. */
      limit: z.int().min(0).max(1000).default(10),
      /** How new ones are made unless somebody says: plain archives, which need nothing, or by restic, which adds what has changed. */
      engine: z.enum(['archive', 'restic']).default('archive'),
      /** Where new ones go: beside the servers on their node, or to an S3-compatible store that nodes and panel reach. */
      store: z
        .discriminatedUnion('kind', [
          z.strictObject({ kind: z.literal('local') }),
          z.strictObject({
            kind: z.literal('s3'),
            endpoint: z.url({ protocol: /^https?$/ }).transform((url) => new URL(url).origin),
            bucket: z.string().min(1).max(255),
            region: z.string().min(1).max(100).default('us-east-1'),
            /** What the names of its objects begin with. */
            prefix: z.string().max(200).default('backups'),
          }),
        ])
        .default({ kind: 'local' }),
    })
    .prefault({}),
  /** Networks that webhooks may call although they are not public: `10.0.0.0/8`. */
  webhookNetworks: z.array(Network).max(100).default([]),
  /** Networks that identity providers may be in although they are not public. */
  signInNetworks: z.array(Network).max(100).default([]),
  /** Resolvers that are asked about domains, `address` or `address:port`; without any those of the system. */
  dnsServers: z.array(z.string().min(1).max(100)).max(10).default([]),
  /** Who makes certificates for domains; without it nobody does. */
  acme: z
    .strictObject({
      directory: z.url({ protocol: /^https$/ }).max(2000),
      email: Email.optional(),
      /** A root that is trusted besides the usual ones, PEM. */
      root: z.string().max(65_536).optional(),
      /** How names without `*.` are validated. */
      challenge: z.enum(['auto', 'http-01', 'tls-alpn-01']).default('auto'),
      /** The zone that takes the records of wildcards; its key is a secret. */
      dns: z
        .strictObject({
          zone: z.string().min(1).max(200),
          server: z.strictObject({ host: z.string().min(1).max(253), port: Port }),
          keyName: z.string().min(1).max(253),
          waitMs: z.int().min(0).max(600_000),
        })
        .optional(),
    })
    .optional(),
  /** The folder of the templates. */
  templatesDir: z.string().min(1),
  /** The folder of the built web UI. One that does not exist: the panel runs without. */
  webDir: z.string().min(1).optional(),
  /** Sends invitations; without it their links are shown to hand over. */
  mail: z
    .strictObject({
      host: z.string().min(1).max(253),
      port: Port,
      security: z.enum(['starttls', 'tls', 'none']).default('starttls'),
      user: z.string().min(1).max(1000).optional(),
      from: Email,
    })
    .optional(),
})
export type PanelConfig = z.output<typeof PanelConfig>
export type PanelConfigInput = z.input<typeof PanelConfig>

export interface PanelSecrets {
  /** With `database: {kind: 'postgres'}`. */
  databaseUrl?: Secret
  /** Of the Valkey or Redis that counts for all panels. */
  valkeyUrl?: Secret
  /** With `backups: {store: {kind: 's3'}}`. */
  backupKeys?: { accessKeyId: Secret; secretAccessKey: Secret }
  /** With `acme: {dns}`, base64. */
  acmeDnsKey?: Secret
  /** With `mail` and its user. */
  mailPassword?: Secret
}
