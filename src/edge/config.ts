import { z } from 'zod'
import { Port } from '../contract/fields.ts'
import { Secret } from '../lib/secret.ts'

/** A host name or an address, without port. */
const Host = z.string().regex(/^[A-Za-z0-9:._-]{1,253}$/, 'must be a host name or an address, without a port')

/** What an edge must know. Unknown keys are errors. */
export const EdgeConfig = z
  .strictObject({
    /** The local address to listen on. */
    listenHost: Host.default('0.0.0.0'),
    /** One TCP port for visitors' HTTP and agents' links. 0: any free one. */
    httpPort: z.union([z.literal(0), Port]).default(4680),
    /** The TCP port of all Minecraft tunnels. 0: any free one; null: none. An edge that cannot have it serves without. */
    minecraftPort: z
      .union([z.literal(0), Port])
      .nullable()
      .default(null),
    /** The UDP port of the links' sealed paths for datagrams. `same` as the links' own, which is where firewalls expect it; 0: any free one. */
    linkUdpPort: z.union([z.enum(['same', 'none']), z.literal(0), Port]).default('same'),
    /** The public host name or address: in the URLs of raw ports, and where agents dial. */
    host: Host.default('127.0.0.1'),
    /** Host names of HTTP tunnels end in this. */
    base: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'must be a lower-case host name')
      .default('localhost'),
    /** How visitors reach it: `https` with certificates, or where something in front ends TLS. Without it: as the certificates say. */
    scheme: z.enum(['http', 'https']).optional(),
    /** PEM files of a certificate (its chain behind it) and its key, by which the edge ends visitors' TLS; or a folder of such pairs and no key. */
    certificate: z.string().min(1).optional(),
    certificateKey: z.string().min(1).optional(),
    /** The range that raw tunnels get their ports from, both ends included, for TCP and UDP. */
    ports: z
      .strictObject({ first: Port, last: Port })
      .refine(({ first, last }) => first <= last, 'first must not be above last')
      .default({ first: 20_000, last: 20_999 }),
    /** Networks that providers of sign-ins may be in although they are not public: whoever has a tunnel names its provider. */
    signInNetworks: z
      .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
      .max(100)
      .default([]),
    /** Agents link to every edge of one region. */
    region: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 lower-case letters, digits and hyphens')
      .default('default'),
    /** The folder of its identity and its counters. */
    dataDir: z.string().min(1),
    /** Every replica of the panel. */
    panels: z
      .array(z.strictObject({ host: Host, port: Port, pin: z.string().min(1).max(100) }))
      .max(32)
      .default([]),
    /** What the edge proves itself to the panel with. */
    credential: z
      .union([z.instanceof(Secret), z.string().min(1).max(512)])
      .transform((value) => (value instanceof Secret ? value : new Secret(value)))
      .optional(),
    /** Instead of a panel: a JSON file of tokens and slugs. */
    tokensFile: z.string().min(1).optional(),
  })
  .superRefine((config, context) => {
    if (config.certificateKey !== undefined && config.certificate === undefined)
      context.addIssue({ code: 'custom', path: ['certificate'], message: 'is missing beside certificateKey' })
    const panel = config.panels.length > 0
    if (panel === (config.tokensFile !== undefined))
      context.addIssue({
        code: 'custom',
        path: ['tokensFile'],
        message: 'an edge needs either panels or a tokensFile, not both',
      })
    if (panel && config.credential === undefined)
      context.addIssue({ code: 'custom', path: ['credential'], message: 'is needed to link to a panel' })
    if (!panel && config.credential !== undefined)
      context.addIssue({ code: 'custom', path: ['credential'], message: 'is only for an edge with panels' })
  })
export type EdgeConfig = z.output<typeof EdgeConfig>
export type EdgeConfigInput = z.input<typeof EdgeConfig>
