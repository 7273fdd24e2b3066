import { spawnSync } from 'node:child_process'

/** What the tests use of Debian, and what is skipped without it. */
export const testPackages: Readonly<Record<string, string>> = {
  bubblewrap: 'the sandbox that game servers run in',
  'docker.io': 'servers in containers of Docker Engine',
  podman: 'servers in containers of Podman',
  runc: 'servers in containers of both',
  catatonit: 'servers in containers of Podman',
  openttd: 'a real game server from Debian',
  'openttd-opengfx': 'a real game server from Debian',
  'mariadb-client-core': 'databases of servers',
  'mariadb-server-core': 'databases of servers',
  'openssh-client': 'SFTP with the client that most people have; comparing tunnels with ssh -R',
  'openssh-server': 'comparing tunnels with ssh -R',
  rclone: 'SFTP with a client that moves many files at once',
  chromium: 'the web UI in a real browser',
  restic: 'incremental backups',
  'swift-proxy': 'backups in a real S3 store',
  'swift-account': 'backups in a real S3 store',
  'swift-container': 'backups in a real S3 store',
  'swift-object': 'backups in a real S3 store',
  memcached: 'backups in a real S3 store',
  'redis-server': 'limits that several panels share',
  systemd: 'the units of packaging/systemd',
  curl: 'the API from outside, as its document shows it; TLS through tunnels',
  openssl: 'TLS through tunnels',
  fish: 'completing commands in the shells that people have',
  zsh: 'completing commands in the shells that people have',
  iperf3: 'TCP and UDP through one port of a tunnel',
  'minetest-server': 'a real game server over UDP',
  pebble: 'certificates by a real certificate authority',
  bind9: 'certificates of wildcards, by a real name server',
  'teeworlds-server': 'asking a real game server who plays',
}

/** Another apt may be at work on the machine; installing waits this long for it. */
const lockWaitSeconds = 400

/** Package lists may be old, and a mirror may be away for a moment. */
const attemptsMax = 3

/**
 * Installs what is missing, where this is Debian and we are root.
 * @returns the packages that are still missing
 */
export function bringDebianPackages(names: readonly string[] = Object.keys(testPackages)): string[] {
  const missing = names.filter((name) => !isInstalled(name))
  if (missing.length === 0 || process.getuid?.() !== 0 || !runs('apt-get', ['--version'])) return missing
  console.error(`tests: installing ${missing.join(', ')} …`)
  for (let attempt = 1; !aptInstall(missing) && attempt < attemptsMax; attempt += 1) aptGet(['update'])
  return missing.filter((name) => !isInstalled(name))
}

const aptInstall = (names: readonly string[]): boolean => aptGet(['install', '-y', '--no-install-recommends', ...names])

function aptGet(args: readonly string[]): boolean {
  const quiet = ['-qq', '-o', `DPkg::Lock::Timeout=${lockWaitSeconds}`, '-o', 'Acquire::Retries=5']
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const result = spawnSync('apt-get', [...quiet, ...args], { env, encoding: 'utf8' })
  if (result.status !== 0) console.error(result.stderr.trim())
  return result.status === 0
}

function isInstalled(name: string): boolean {
  const result = spawnSync('dpkg-query', ['-s', name], { encoding: 'utf8' })
  return result.status === 0 && result.stdout.includes('Status: install ok installed')
}

const runs = (program: string, args: readonly string[]): boolean => spawnSync(program, args).status === 0
