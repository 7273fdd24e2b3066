import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLog } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { PanelConfig, type PanelConfigInput } from '../panel/config.ts'
import { type Panel, startPanel } from '../panel/panel.ts'
import { removeInstance, writeInstance } from '../settings/instance.ts'
import { SettingsError } from '../settings/resolve.ts'
import type { PanelSettings } from '../settings/roles.ts'
import { holdDataFolder } from './data-folder.ts'
import { listening } from './listening.ts'
import { sayObservation, startObservation } from './observation.ts'
import { type Session, untilInterrupted } from './session.ts'

/** `pharos panel`: a panel without node and edge, until it is interrupted. */
export async function runPanel(settings: Located<PanelSettings>, session: Session): Promise<void> {
  const { signal, root, say } = session
  await using closer = new AsyncDisposableStack()
  closer.use(await holdDataFolder(settings.dataDir, 'panel'))
  const observation = closer.use(await startObservation(settings))
  const panel = closer.use(await startPanelRole(settings, root, observation.metrics))
  observation.ready('panel', () => panel.readiness())
  say(`Panel up: ${panel.url}`)
  sayObservation(observation, say)
  say(await ownerWords(panel, root))
  await untilInterrupted(signal)
}

export type Located<S> = Omit<S, 'dataDir'> & { dataDir: string }

/** Starts the panel with its own part of the data folder, and tells commands on this machine where it is. */
export async function startPanelRole(
  settings: Located<PanelSettings>,
  root: string,
  metrics?: Metrics,
): Promise<Panel> {
  const {
    host,
    port,
    publicUrl,
    linkAddress,
    nodePorts,
    trustedProxies,
    webhookNetworks,
    signInNetworks,
    databaseUrl,
    valkeyUrl,
    smtpPassword,
    backupsS3KeyId,
    backupsS3Key,
    acmeDnsKey,
    dnsServers,
    logLevel,
  } = settings
  const dataDir = join(settings.dataDir, 'panel')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const config = PanelConfig.parse({
    host,
    port,
    ...(publicUrl !== undefined && { publicUrl }),
    ...(linkAddress !== undefined && { linkAddress }),
    dataDir,
    database: databaseUrl ? { kind: 'postgres' } : { kind: 'sqlite', file: join(dataDir, 'pharos.db') },
    nodePorts,
    trustedProxies,
    webhookNetworks,
    signInNetworks,
    templatesDir: join(root, 'templates'),
    webDir: join(root, 'dist', 'web'),
    ...mailOf(settings),
    dnsServers,
    ...(await acmeOf(settings)),
    backups: backupsOf(settings),
  })
  await using closer = new AsyncDisposableStack()
  const panel = closer.use(
    await listening({ host, port, hostFlag: '--host', portFlag: '--port' }, () =>
      startPanel(
        config,
        {
          ...(databaseUrl && { databaseUrl }),
          ...(valkeyUrl && { valkeyUrl }),
          ...(smtpPassword && { mailPassword: smtpPassword }),
          ...(acmeDnsKey && { acmeDnsKey }),
          ...(backupsS3KeyId &&
            backupsS3Key && { backupKeys: { accessKeyId: backupsS3KeyId, secretAccessKey: backupsS3Key } }),
        },
        { log: createLog({ level: logLevel, name: 'panel' }), ...(metrics && { metrics }) },
      ),
    ),
  )
  closer.defer(() => removeInstance(settings.dataDir))
  const link = await panel.setupLink()
  await writeInstance(settings.dataDir, {
    url: `http://${inUrl(localHost(host))}:${panel.port}`,
    setupSecret: link === null ? null : new URL(link).hash.slice(1),
  })
  const running = closer.move()
  return {
    ...panel,
    get url() {
      return panel.url
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** The mail server, where one is set; half of one is a mistake that would show only when somebody is invited. */
function mailOf(settings: Located<PanelSettings>): Pick<PanelConfigInput, 'mail'> {
  const { smtpHost, smtpPort, smtpSecurity, smtpUser, smtpPassword, smtpFrom } = settings
  if (smtpHost === undefined) {
    if (smtpUser !== undefined || smtpPassword || smtpFrom !== undefined)
      throw new SettingsError(['A mail server is half set: --smtp-host is missing.'])
    return {}
  }
  if (smtpFrom === undefined)
    throw new SettingsError(['--smtp-host is set, but not --smtp-from: which address do invitations come from?'])
  if ((smtpUser === undefined) !== (smtpPassword === undefined))
    throw new SettingsError([
      'Of --smtp-user and the password (PHAROS_SMTP_PASSWORD) one is missing: set both or none.',
    ])
  return {
    mail: {
      host: smtpHost,
      port: smtpPort,
      security: smtpSecurity,
      from: smtpFrom,
      ...(smtpUser !== undefined && { user: smtpUser }),
    },
  }
}

/** Who makes certificates; half of it is a mistake that would show only when somebody brings a domain. */
async function acmeOf(settings: Located<PanelSettings>): Promise<Pick<PanelConfigInput, 'acme'>> {
  const { acmeDirectory, acmeAgreed, acmeEmail, acmeRoot, acmeChallenge } = settings
  if (acmeDirectory === undefined) {
    if (acmeEmail !== undefined || acmeRoot !== undefined || settings.acmeDnsZone !== undefined)
      throw new SettingsError(['A certificate authority is half set: --acme-directory is missing.'])
    return {}
  }
  if (acmeAgreed !== 'yes')
    throw new SettingsError([
      '--acme-directory is set: read the terms of service of that authority, and agree to them with --acme-agreed yes.',
    ])
  return {
    acme: {
      directory: acmeDirectory,
      challenge: acmeChallenge,
      ...(acmeEmail !== undefined && { email: acmeEmail }),
      ...(acmeRoot !== undefined && { root: await readRoot(acmeRoot) }),
      ...acmeDnsOf(settings),
    },
  }
}

function acmeDnsOf(settings: Located<PanelSettings>): Pick<NonNullable<PanelConfigInput['acme']>, 'dns'> {
  const { acmeDnsZone: zone, acmeDnsServer: server, acmeDnsKeyName: keyName, acmeDnsKey, acmeDnsWait } = settings
  if (zone === undefined && server === undefined && keyName === undefined && !acmeDnsKey) return {}
  if (zone === undefined || server === undefined || keyName === undefined || !acmeDnsKey)
    throw new SettingsError([
      'The zone for certificates of wildcards is half set: --acme-dns-zone, --acme-dns-server, --acme-dns-key-name and PHAROS_ACME_DNS_KEY belong together.',
    ])
  const { host, port } = server
  return { dns: { zone, server: { host, port: port ?? dnsPort }, keyName, waitMs: acmeDnsWait * 1000 } }
}

async function readRoot(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SettingsError([
      `--acme-root: ${path} cannot be read (${cause instanceof Error ? cause.message : 'unknown reason'}).`,
    ])
  })
  if (!text.includes('-----BEGIN CERTIFICATE-----'))
    throw new SettingsError([`--acme-root: ${path} is not a certificate in PEM.`])
  return text
}

const dnsPort = 53

/** Where new backups go; half of a store is a mistake that would show only when somebody needs a backup. */
function backupsOf(settings: Located<PanelSettings>): PanelConfigInput['backups'] {
  const { backupsPerServer, backupsEngine: engine } = settings
  const { backupsS3Endpoint, backupsS3Bucket, backupsS3Region, backupsS3KeyId, backupsS3Key } = settings
  if (backupsS3Endpoint === undefined) {
    if (backupsS3Bucket !== undefined || backupsS3Region !== undefined || backupsS3KeyId || backupsS3Key)
      throw new SettingsError(['A backup store is half set: --backups-s3-endpoint is missing.'])
    return { limit: backupsPerServer, engine }
  }
  if (backupsS3Bucket === undefined)
    throw new SettingsError(['--backups-s3-endpoint is set, but not --backups-s3-bucket: where do backups go?'])
  if (!backupsS3KeyId || !backupsS3Key)
    throw new SettingsError([
      'The backup store needs its keys: set both PHAROS_BACKUPS_S3_KEY_ID and PHAROS_BACKUPS_S3_KEY.',
    ])
  return {
    limit: backupsPerServer,
    engine,
    store: {
      kind: 's3',
      endpoint: backupsS3Endpoint,
      bucket: backupsS3Bucket,
      ...(backupsS3Region !== undefined && { region: backupsS3Region }),
    },
  }
}

/** What the person who starts a panel reads while nobody owns it; the empty string afterwards. */
export async function ownerWords(panel: Panel, root: string): Promise<string> {
  const link = await panel.setupLink()
  if (link === null) return ''
  const program = /[\\/]node_modules[\\/]/.test(root) ? 'pharos' : 'npx pharos'
  return [
    '',
    'Nobody owns this panel yet. This link creates the owner account, once:',
    `  ${link}`,
    `Without a browser: ${program} setup --email you@example.com --workspace "My workspace"`,
  ].join('\n')
}

/** An address that means "all of them" is reached on this machine at its loopback. */
export const localHost = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)

const inUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)
