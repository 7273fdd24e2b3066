import { z } from 'zod'
import { logLevels } from '../contract/log-level.ts'
import {
  address,
  choice,
  choiceOrPath,
  count,
  host,
  list,
  optionalAddress,
  optionalEmail,
  optionalHost,
  optionalHttpsUrl,
  optionalText,
  optionalUrl,
  port,
  portOrNone,
  portRange,
  region,
  secret,
  udpPort,
  type Values,
} from './setting.ts'

/** What the settings of every role have in common. */
const common = {
  dataDir: optionalText({ help: 'the folder that holds everything that must be kept', expected: 'a folder' }),
  logLevel: choice({
    help: 'how much to log, to standard error',
    of: logLevels,
    default: 'warn',
  }),
  metricsAddress: address({
    help: 'where /metrics (for Prometheus), /healthz and /readyz are served; nowhere without it',
  }),
  metricsToken: secret({
    help: 'what whoever reads /metrics must show; needed where the address is reached from other machines',
    expected: 'at least 16 characters',
    pattern: /^.{16,}$/,
  }),
}

const panelOnly = {
  host: host({ help: 'the address the panel listens on; 0.0.0.0 for all of them', default: '127.0.0.1' }),
  port: port({ help: 'the port of the panel: pages, API, and links from nodes and edges', default: '4600' }),
  publicUrl: optionalUrl({ help: 'how people reach the panel, where a proxy or a name stands in front of it' }),
  linkAddress: optionalAddress({
    help: 'where nodes and edges dial this panel itself, where the public URL is that of a load balancer in front of several',
  }),
  nodePorts: portRange({
    help: 'the ports that servers get on a node, unless the node was given others',
    default: '25566-25665',
  }),
  trustedProxies: list({
    help: 'proxies whose X-Forwarded-For is believed',
    expected: 'addresses or networks, such as 10.0.0.0/8',
    item: z.string().regex(/^[0-9A-Fa-f:.]+(\/[0-9]{1,3})?$/),
  }),
  webhookNetworks: list({
    help: 'networks that webhooks may call although they are not public',
    expected: 'addresses or networks, such as 10.0.0.0/8',
    item: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]),
  }),
  signInNetworks: list({
    help: 'networks that identity providers of accounts may be in although they are not public',
    expected: 'addresses or networks, such as 10.0.0.0/8',
    item: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]),
  }),
  databaseUrl: secret({
    help: 'a PostgreSQL database instead of the file in the data folder',
    expected: 'a URL that begins with postgres:// or postgresql://',
    pattern: /^postgres(ql)?:\/\/./,
  }),
  valkeyUrl: secret({
    help: 'a Valkey or Redis that several panels count requests and sign-ins in; without it each counts for itself',
    expected: 'a URL that begins with redis://, rediss://, valkey:// or valkeys://',
    pattern: /^(redis|valkey)s?:\/\/./,
  }),
  smtpHost: optionalHost({
    help: 'the mail server that sends invitations; without one their links are shown to hand over',
  }),
  smtpPort: port({ help: 'the port of the mail server', default: '587' }),
  smtpSecurity: choice({
    help: 'how the connection to the mail server is kept secret; none only for one on this machine',
    of: ['starttls', 'tls', 'none'],
    default: 'starttls',
  }),
  smtpUser: optionalText({ help: 'the user name at the mail server', expected: 'a user name' }),
  smtpPassword: secret({ help: 'the password at the mail server', expected: 'a password' }),
  smtpFrom: optionalEmail({ help: 'the address that invitations come from' }),
}

const domainsOnly = {
  dnsServers: list({
    help: 'resolvers that are asked about domains of workspaces; without any those of the system',
    expected: 'addresses, with a port where it is not 53, such as 9.9.9.9 or 127.0.0.1:5353',
    item: z.string().regex(/^(\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?|[0-9A-Fa-f:]+|\[[0-9A-Fa-f:]+\]:\d{1,5})$/),
  }),
  acmeDirectory: optionalHttpsUrl({
    help: 'the certificate authority for domains of workspaces: the URL of its ACME directory; without it no certificates are made',
  }),
  acmeAgreed: choice({
    help: 'yes: you agree to the terms of service of that authority',
    of: ['yes', 'no'],
    default: 'no',
  }),
  acmeEmail: optionalEmail({ help: 'where that authority may write to' }),
  acmeRoot: optionalText({
    help: 'a root certificate that the directory is trusted by besides the usual ones, such as that of an authority of your own',
    expected: 'a PEM file',
  }),
  acmeChallenge: choice({
    help: 'how that authority looks at names without *: over port 80, over port 443, or auto, which takes turns after failures',
    of: ['auto', 'http-01', 'tls-alpn-01'],
    default: 'auto',
  }),
  acmeDnsZone: optionalHost({
    help: 'a zone of yours that takes dynamic updates, for the certificates of wildcards; without one those get none',
  }),
  acmeDnsServer: optionalAddress({ help: 'the primary name server of that zone; its port is 53 unless given' }),
  acmeDnsKeyName: optionalText({
    help: 'the name of the key (TSIG, hmac-sha256) that updates of that zone are signed with',
    expected: 'a name',
  }),
  acmeDnsKey: secret({
    help: 'that key',
    expected: 'base64, as tsig-keygen prints it',
    pattern: /^[A-Za-z0-9+/]{16,}={0,2}$/,
  }),
  acmeDnsWait: count({
    help: 'how many seconds the other name servers of that zone need to follow',
    max: 600,
    default: '5',
  }),
}

const backupsOnly = {
  backupsPerServer: count({ help: 'how many backups a server may have', max: 1000, default: '10' }),
  backupsEngine: choice({
    help: 'how backups are made: as plain archives, or by restic, which adds only what has changed',
    of: ['archive', 'restic'],
    default: 'archive',
  }),
  backupsS3Endpoint: optionalUrl({
    help: 'an S3-compatible store for new backups, which nodes and panel reach; without one a node keeps its own',
  }),
  backupsS3Bucket: optionalText({ help: 'the bucket of the backup store', expected: 'the name of a bucket' }),
  backupsS3Region: optionalText({ help: 'the region of the backup store', expected: 'a region, such as us-east-1' }),
  backupsS3KeyId: secret({ help: 'the access key of the backup store', expected: 'an access key id' }),
  backupsS3Key: secret({ help: 'the secret key of the backup store', expected: 'a secret access key' }),
}

const edgeOnly = {
  edgeListenHost: host({ help: 'the address the edge listens on', default: '0.0.0.0' }),
  edgeHost: host({
    help: 'the public name or address of the edge, where raw ports are reached and agents dial',
    default: '127.0.0.1',
  }),
  edgeBase: host({ help: 'what the host names of HTTP tunnels end in', default: 'localhost' }),
  edgeScheme: choice({
    help: 'https where something in front of the edge ends TLS; with --edge-certificate it is https anyway',
    of: ['http', 'https'],
    default: 'http',
  }),
  edgeCertificate: optionalText({
    help: 'the certificate for the host names of HTTP tunnels, by which the edge speaks TLS itself; or a folder of several',
    expected: 'a PEM file, or a folder of pairs',
  }),
  edgeCertificateKey: optionalText({ help: 'the key of --edge-certificate', expected: 'a PEM file' }),
  edgeHttpPort: port({ help: 'the port of the edge: visitors’ HTTP and agents’ links', default: '4680' }),
  edgeLinkUdpPort: udpPort({
    help: 'the UDP port of the edge, for datagrams between it and agents: same as its port, none, or another',
    default: 'same',
  }),
  edgeMinecraftPort: port({
    help: 'the port of all Minecraft tunnels, which are told apart by host name; where it is taken the edge serves without',
    default: '25565',
  }),
  edgeRegion: region({
    help: 'the region of the edge: agents link to every edge of theirs',
    default: 'default',
  }),
  edgeSignInNetworks: list({
    help: 'networks that OpenID providers of tunnels may be in although they are not public',
    expected: 'addresses or networks, such as 10.0.0.0/8',
    item: z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]),
  }),
  edgePorts: portRange({ help: 'the ports that raw tunnels get', default: '30000-30999' }),
}

/** `host:port#pin`, as `pharos edges create` prints it. */
const panelAddress = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,253}:[0-9]{1,5}#[A-Za-z0-9_-]{20,100}$/)
  .transform((address) => {
    const [place = '', pin = ''] = address.split('#')
    const [name = '', number = ''] = place.split(':')
    return { host: name, port: Number(number), pin }
  })
  .refine((address) => address.port >= 1 && address.port <= 65_535)

const edgeAlone = {
  edgePanels: list({
    help: 'the panels that the edge works for',
    expected: 'host:port#pin of each, as "pharos edges create" prints it',
    item: panelAddress,
  }),
  edgeCredential: secret({
    help: 'what the edge proves itself to the panels with',
    expected: 'what "pharos edges create" printed',
  }),
  edgeTokensFile: optionalText({ help: 'instead of panels: a JSON file of tokens and slugs', expected: 'a file' }),
}

const sftp = {
  sftpPort: portOrNone({ help: 'the port of SFTP for the files of servers; none turns it off', default: '2022' }),
  sftpHost: host({ help: 'the address SFTP listens on', default: '0.0.0.0' }),
  sftpAddress: optionalAddress({
    help: 'what people are told to reach SFTP at, where a router, a tunnel or a name leads to it',
  }),
}

const nodeOnly = {
  ...sftp,
  edgeTransport: choice({
    help: 'how the node reaches edges: auto is direct, and by WebSocket where a network lets only HTTPS through',
    of: ['auto', 'direct', 'websocket'],
    default: 'auto',
  }),
}

const containersOnly = {
  dockerSocket: choiceOrPath({
    help: 'the unix socket of Docker Engine or Podman, for servers in containers: auto looks at the usual places, none is without',
    of: ['auto', 'none'],
    default: 'auto',
  }),
  containerNetwork: choice({
    help: 'bridge gives containers a network of their own, where the engine can; host lets them use this machine’s',
    of: ['bridge', 'host'],
    default: 'bridge',
  }),
}

const joinOnly = {
  joinToken: secret({
    help: 'what "pharos nodes create" printed; works once',
    expected: 'a join token, which begins with phj_',
    pattern: /^phj_./,
  }),
}

export const upSettings = {
  ...common,
  ...panelOnly,
  ...domainsOnly,
  ...backupsOnly,
  ...edgeOnly,
  ...containersOnly,
  ...sftp,
}
export const panelSettings = { ...common, ...panelOnly, ...domainsOnly, ...backupsOnly }
export const nodeSettings = { ...common, ...nodeOnly, ...containersOnly }
/** Of `pharos node join` alone. */
export const joinSettings = { ...nodeSettings, ...joinOnly }
export const edgeSettings = { ...common, ...edgeOnly, ...edgeAlone }

/** Of commands that work on a data folder and its database as a whole. */
export const instanceSettings = { dataDir: common.dataDir, databaseUrl: panelOnly.databaseUrl }

/** Every setting of every role: what may stand in a configuration file. */
export const allSettings = { ...upSettings, ...joinSettings, ...edgeSettings }

export type UpSettings = Values<typeof upSettings>
export type PanelSettings = Values<typeof panelSettings>
export type NodeSettings = Values<typeof nodeSettings>
export type EdgeSettings = Values<typeof edgeSettings>
