import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { patienceMs } from '../../../test/patience.ts'
import { reservePorts } from '../../../test/ports.ts'
import { lockFolder } from '../../lib/folder-lock.ts'
import { silentLog } from '../../lib/log.ts'
import { Secret } from '../../lib/secret.ts'
import { unfinishedRestoreFile } from '../../lib/unfinished-restore.ts'
import { openDatabase } from '../../panel/db/index.ts'
import { examineClock } from './clock.ts'
import { certificateFinding, examineEdge } from './edge.ts'
import type { Finding } from './finding.ts'
import { examineFolder, mountOf, parseMounts } from './folder.ts'
import { examine } from './index.ts'
import { examineLimits, openFiles, parseRanges } from './limits.ts'
import { type Machine, thisMachine } from './machine.ts'
import { containerFinding, controlFindings, examineNode, isInstalled, sandboxFinding } from './node.ts'
import { examinePanel, stateFindings } from './panel.ts'
import { examinePorts, parseListeners } from './ports.ts'
import { examineProgram } from './program.ts'
import type { DoctorRequest, DoctorSettings } from './request.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pharos-doctor-test-'))
})
after(() => rm(folder, { recursive: true, force: true }))

/** Nothing listens on any of its ports: each is 0. */
const settings: DoctorSettings = {
  host: '127.0.0.1',
  port: 0,
  databaseUrl: undefined,
  valkeyUrl: undefined,
  nodePorts: { first: 1, last: 1 },
  smtpHost: undefined,
  smtpPort: 587,
  backupsS3Endpoint: undefined,
  edgeListenHost: '127.0.0.1',
  edgeHost: 'edge.example.org',
  edgeBase: 'localhost',
  edgeScheme: 'http',
  edgeHttpPort: 0,
  edgeLinkUdpPort: 'none',
  edgeMinecraftPort: 0,
  edgePorts: { first: 1, last: 1 },
  edgeCertificate: undefined,
  edgePanels: [],
  sftpHost: '127.0.0.1',
  sftpPort: 'none',
  dockerSocket: 'none',
  metricsAddress: undefined,
}

/** A machine that consists of these texts. */
const machineOf = (given: Partial<Machine> & { texts?: Record<string, string>; programs?: string[] }): Machine => ({
  uid: 1000,
  nodeVersion: '24.9.0',
  text: async (path) => given.texts?.[path] ?? null,
  program: async (name) => (given.programs?.includes(name) ? `/usr/bin/${name}` : null),
  place: async () => 'nothing',
  freeBytes: async () => 100 * 1024 ** 3,
  processes: async () => [],
  socketOwners: async () => new Map(),
  ...given,
})

const request = (
  given: Partial<Omit<DoctorRequest, 'settings'>> & { settings?: Partial<DoctorSettings> } = {},
): DoctorRequest => ({
  role: 'up',
  dataDir: join(folder, 'data'),
  root: join(import.meta.dirname, '..', '..', '..'),
  machine: machineOf({}),
  checkEdge: false,
  now: Date.UTC(2026, 10, 22),
  signal: new AbortController().signal,
  answerMs: patienceMs,
  say: () => undefined,
  ...given,
  settings: { ...settings, ...given.settings },
})

/** `missing clock: the clock says …`, one a line. */
const lines = (findings: readonly Finding[]): string =>
  findings.map(({ state, check, found }) => `${state} ${check}: ${found}`).join('\n')

/** Something that listens for as long as the test. */
async function listening(closer: AsyncDisposableStack, host = '127.0.0.1', first = ''): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (first) socket.end(first)
    else socket.destroy()
  })
  server.listen(0, host)
  await once(server, 'listening')
  closer.defer(async () => void server.close())
  const address = server.address()
  assert.ok(address && typeof address === 'object')
  return address.port
}

describe('on this machine the doctor', () => {
  test('finds what is there and leaves nothing behind', async () => {
    const dataDir = join(folder, 'untouched')
    const said: string[] = []
    const diagnosis = await examine(request({ machine: thisMachine(), dataDir, say: (line) => void said.push(line) }))
    assert.match(lines(diagnosis.findings), /ok node\.js: Node\.js 2/)
    assert.match(lines(diagnosis.findings), /ok data-folder: .*untouched can be made/)
    assert.match(lines(diagnosis.findings), /(ok|limited) sandbox: /)
    assert.match(lines(diagnosis.findings), /(ok|limited) cgroups: /)
    assert.match(lines(diagnosis.findings), /(ok|missing|limited) open-files: \d+/)
    assert.ok(said.length >= 8, said.join())
    assert.deepEqual((await readdir(folder)).includes('untouched'), false)
    for (const one of diagnosis.findings) if (one.state !== 'ok') assert.ok(one.cost && one.next, one.found)
  })

  test('looks only at what a role needs', async () => {
    const { findings } = await examine(request({ machine: thisMachine(), role: 'panel' }))
    assert.doesNotMatch(lines(findings), / (sandbox|edge-name|quotas|ports of tunnels)/)
  })

  test('tells a port of the Pharos that runs here from one that somebody else holds, and from a free one', async () => {
    await using closer = new AsyncDisposableStack()
    const dataDir = join(folder, 'running')
    const port = await listening(closer)
    const udp = createSocket('udp4')
    closer.defer(async () => void udp.close())
    udp.bind(0, '127.0.0.1')
    await once(udp, 'listening')
    const { first: edgeHttpPort } = await reservePorts(1)
    const wanted = { port, edgeHttpPort, edgeLinkUdpPort: udp.address().port, edgeMinecraftPort: port }
    const asked = request({ machine: thisMachine(), dataDir, settings: wanted })
    const strange = lines(await examinePorts(asked))
    assert.match(strange, new RegExp(`missing ports: the panel’s port \\(tcp ${port} on 127.0.0.1\\) is held by `))
    assert.match(strange, new RegExp(`limited ports: the edge’s port for datagrams \\(udp ${udp.address().port} `))
    assert.match(strange, /limited ports: the port of Minecraft tunnels .* is held by /)
    assert.match(strange, new RegExp(`ok ports: the edge’s port \\(tcp ${edgeHttpPort} on 127.0.0.1\\) is free`))
    await using _held = await lockFolder(dataDir, 'up')
    assert.match(
      lines(await examinePorts(asked)),
      new RegExp(`ok ports: the panel’s port .* is held by the Pharos that runs here \\(process ${process.pid}\\)`),
    )
  })

  test('names who listens on ports that it would give to servers and tunnels', async () => {
    const table = (port: number, inode: number) =>
      `  0: 00000000:${port.toString(16)} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1`
    const texts = {
      '/proc/net/tcp': [5000, 5001, 5002].map((port) => table(port, port)).join('\n'),
      '/proc/net/udp': '',
      '/srv/pharos/up.lock': '77 123',
      '/proc/77/stat': `77 (node) ${'0 '.repeat(19)}123 0`,
    }
    const owners = new Map([
      ['5000', { pid: 77, name: 'node' }],
      ['5001', { pid: 78, name: 'java' }],
    ])
    const machine = machineOf({ texts, socketOwners: async () => owners })
    const given = { nodePorts: { first: 5000, last: 5002 }, edgePorts: { first: 5000, last: 5000 } }
    const said = lines(await examinePorts(request({ machine, dataDir: '/srv/pharos', settings: given })))
    assert.match(said, /ok ports: ports of tunnels \(5000-5000\) are free/)
    assert.match(
      said,
      /limited ports: of ports of servers .* 2 are in use: 5001 by java \(process 78\), 5002 by a program that/,
    )
  })

  test('names an address that this machine does not have', async () => {
    const { first: port } = await reservePorts(1)
    const findings = await examinePorts(request({ machine: thisMachine(), settings: { host: '192.0.2.1', port } }))
    assert.match(lines(findings), /missing ports: .* this machine has no such address/)
  })

  test('asks mail server, store of backups and panels whether they are there', async () => {
    await using closer = new AsyncDisposableStack()
    const mail = await listening(closer, '127.0.0.1', '220 mail.example.org\r\n')
    const other = await listening(closer, '127.0.0.1', 'SSH-2.0-x\r\n')
    const { first: closed } = await reservePorts(1)
    const panel = async (given: Partial<DoctorSettings>) => lines(await examinePanel(request({ settings: given })))
    assert.match(await panel({ smtpHost: '127.0.0.1', smtpPort: mail }), /ok mail: the mail server 127\.0\.0\.1/)
    assert.match(
      await panel({ smtpHost: '127.0.0.1', smtpPort: other }),
      /limited mail: .*what answers is no mail server/,
    )
    assert.match(await panel({ smtpHost: '127.0.0.1', smtpPort: closed }), /limited mail: .*nothing listens there/)
    assert.match(await panel({}), /limited mail: no mail server is set/)
    assert.match(
      await panel({ backupsS3Endpoint: `http://127.0.0.1:${closed}` }),
      /missing backup-store: .*nothing listens there/,
    )
    assert.match(await panel({}), /ok valkey: .*one panel needs none/)
    const valkeyUrl = new Secret(`redis://:hunter2@127.0.0.1:${closed}`)
    const unreached = JSON.stringify(await examinePanel(request({ settings: { valkeyUrl } })))
    assert.match(unreached, /"limited","found":"the Valkey or Redis does not answer \(ECONNREFUSED\)"/)
    assert.doesNotMatch(unreached, /hunter2/)
    const edgePanels = [mail, closed].map((port) => ({ host: '127.0.0.1', port }))
    const edge = lines(await examineEdge(request({ settings: { edgePanels } })))
    assert.match(
      edge,
      new RegExp(
        `ok edge-panels: the panel 127.0.0.1:${mail} is reached\nmissing edge-panels: .*:${closed} is not reached`,
      ),
    )
  })

  test('says that something else answers where the edge should', async () => {
    await using closer = new AsyncDisposableStack()
    const edgeHttpPort = await listening(closer, '127.0.0.1', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi')
    const given = { edgeHost: '127.0.0.1', edgeBase: `${'x'.repeat(64)}.invalid`, edgeHttpPort }
    const findings = await examineEdge(request({ checkEdge: true, settings: given }))
    assert.match(
      lines(findings),
      /ok edge-name: 127\.0\.0\.1:\d+ is reached\nmissing edge-names: .* is not known in the DNS/,
    )
    const local = await examineEdge(request({ checkEdge: true, settings: { ...given, edgeBase: 'localhost' } }))
    assert.match(lines(local), /missing edge-names: .* something else answers \(200\)/)
  })

  test('says of a database whether this version can use it', async () => {
    const dataDir = join(folder, 'with-database')
    await mkdir(join(dataDir, 'panel'), { recursive: true })
    const file = join(dataDir, 'panel', 'pharos.db')
    const said = async () => lines(await examinePanel(request({ dataDir })))
    assert.match(await said(), /ok database: .*is made at the first start/)
    {
      await using database = await openDatabase({ kind: 'sqlite', file }, silentLog)
      assert.match(await said(), /ok database: .*is that of this version/)
      await sql`insert into migrations (name, applied_at) values ('9999-future', 1)`.execute(database.kysely)
      assert.match(await said(), /missing database: .*newer Pharos \(it has 9999-future\)/)
    }
    await writeFile(file, 'no database at all, but long enough to be read as one'.repeat(100))
    assert.match(await said(), /missing database: .*cannot be read \(file is not a database\)/)
    const databaseUrl = new Secret(`postgres://ada:hunter2@127.0.0.1:${(await reservePorts(1)).first}/pharos`)
    const postgres = JSON.stringify(await examinePanel(request({ settings: { databaseUrl } })))
    assert.match(postgres, /the PostgreSQL database cannot be read/)
    assert.doesNotMatch(postgres, /hunter2/)
  })

  test('sees a folder that it cannot write, one that is a file, and half a restore', async (t) => {
    const said = async (dataDir: string) => lines(await examineFolder(request({ machine: thisMachine(), dataDir })))
    const file = join(folder, 'file')
    await writeFile(file, '')
    assert.match(await said(join(file, 'data')), /missing data-folder: .*file is no folder/)
    const half = join(folder, 'half')
    await mkdir(half)
    await writeFile(unfinishedRestoreFile(half), '{}')
    assert.match(await said(half), /missing restore: a restore into .*half did not finish/)
    if (process.getuid?.() === 0) return t.diagnostic('root may write everywhere')
    const closed = join(folder, 'closed')
    await mkdir(closed)
    await chmod(closed, 0o500)
    assert.match(await said(join(closed, 'data')), /missing data-folder: .*closed may not be written by this user/)
  })
})

describe('of a machine like this the doctor says:', () => {
  test('an old Node.js, and pages that are not built', async () => {
    const findings = await examineProgram(request({ machine: machineOf({ nodeVersion: '22.1.0' }) }))
    assert.match(lines(findings), /missing node\.js: Node\.js 22\.1\.0\nlimited pages: /)
  })

  test('root where it is needed and where it is not', async () => {
    const machine = machineOf({ uid: 0 })
    assert.match(lines(await examineProgram(request({ machine }))), /ok user: root/)
    assert.match(lines(await examineProgram(request({ machine, role: 'edge' }))), /limited user: root, which neither/)
    assert.match(lines(await examineProgram(request())), /limited user: an ordinary user/)
  })

  const place = async (): Promise<'writable folder'> => 'writable folder'
  const mounts = (line: string) => ({ '/proc/self/mountinfo': `1 0 8:1 / / rw - ext4 /dev/sda1 rw\n${line}\n` })

  test('a disk that is full or nearly so', async () => {
    const of = async (free: number) =>
      lines(await examineFolder(request({ machine: machineOf({ place, freeBytes: async () => free }) })))
    assert.match(await of(1), /missing disk: 0\.0 GiB are free/)
    assert.match(await of(1024 ** 3), /limited disk: 1\.0 GiB are free/)
  })

  for (const [what, line, state] of [
    [
      'memory',
      '2 1 0:5 / /srv rw - tmpfs tmpfs rw',
      /limited file-system: the data folder is in memory \(tmpfs at \/srv\)/,
    ],
    [
      'a network file system',
      '2 1 0:5 / /srv rw - nfs4 nas:/x rw',
      /limited file-system: .* network file system \(nfs4/,
    ],
    [
      'a disk without quotas',
      '2 1 0:5 / /srv rw - xfs /dev/sdb rw',
      /limited quotas: .*\(xfs at \/srv\) has no project quotas/,
    ],
    ['quotas without tools', '2 1 0:5 / /srv rw - xfs /dev/sdb rw,prjquota', /limited quotas: the tools of quotas/],
  ] as const)
    test(`a data folder on ${what}`, async () => {
      const machine = machineOf({ place, texts: mounts(line) })
      assert.match(lines(await examineFolder(request({ machine, dataDir: '/srv/pharos' }))), state)
    })

  test('quotas, for root alone', async () => {
    const texts = mounts('2 1 0:5 / /srv rw - xfs /dev/sdb rw,prjquota')
    const of = async (uid: number) => {
      const machine = machineOf({ uid, place, texts, programs: ['setquota', 'chattr'] })
      return lines(await examineFolder(request({ machine, dataDir: '/srv/pharos' })))
    }
    assert.match(await of(1000), /limited quotas: quotas of the file system need root/)
    assert.match(await of(0), /ok quotas/)
  })

  test('few open files, small buffers, a short queue', async () => {
    const texts = {
      '/proc/self/limits':
        'Limit  Soft  Hard  Units\nMax open files            256                  4096                 files\n',
      '/proc/sys/net/core/rmem_max': '212992\n',
      '/proc/sys/net/core/somaxconn': '128\n',
    }
    const said = lines(await examineLimits(request({ machine: machineOf({ texts }) })))
    assert.match(said, /missing open-files: 256 open files for programs/)
    assert.match(said, /limited udp-buffer: net\.core\.rmem_max is 212992/)
    assert.match(said, /limited backlog: net\.core\.somaxconn is 128/)
  })

  test('the limit of the Pharos that runs, not its own', async () => {
    const texts = {
      '/srv/pharos/panel.lock': '77 123',
      '/proc/77/stat': `77 (node) ${'0 '.repeat(19)}123 0`,
      '/proc/77/limits': 'Max open files   unlimited   unlimited   files\n',
      '/proc/self/limits': 'Max open files   256   256   files\n',
    }
    const of = async (lock: string) => {
      const machine = machineOf({ texts: { ...texts, '/srv/pharos/panel.lock': lock } })
      return lines(await examineLimits(request({ machine, dataDir: '/srv/pharos' })))
    }
    assert.match(await of('77 123'), /ok open-files: any number of open files for the running Pharos \(process 77\)/)
    assert.match(await of('77 122'), /missing open-files: 256/)
  })

  test('ports among those of connections out, unless the kernel keeps them free', async () => {
    const given = { edgePorts: { first: 32_000, last: 33_000 }, port: 40_000 }
    const of = async (reserved: string) => {
      const texts = {
        '/proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
        '/proc/sys/net/ipv4/ip_local_reserved_ports': reserved,
      }
      return lines(await examineLimits(request({ machine: machineOf({ texts }), settings: given })))
    }
    assert.match(
      await of('\n'),
      /limited port-range: the panel’s port \(40000\) .*\nlimited port-range: ports of tunnels \(32768-33000\)/,
    )
    assert.doesNotMatch(await of('32768-33000,40000\n'), /port-range/)
  })

  test('ports that only root may have', async () => {
    const of = async (effective: string, start = '1024') => {
      const texts = {
        '/proc/self/status': `Name:\tnode\nCapEff:\t${effective}\n`,
        '/proc/sys/net/ipv4/ip_unprivileged_port_start': `${start}\n`,
      }
      return lines(await examineLimits(request({ machine: machineOf({ texts }), settings: { edgeHttpPort: 443 } })))
    }
    assert.match(await of('0000000000000000'), /missing privileged-port: the edge’s port \(443\) is below 1024/)
    assert.doesNotMatch(await of('0000000000000400'), /edge’s port/)
    assert.doesNotMatch(await of('0000000000000000', '80'), /edge’s port/)
  })

  test('a clock that is wrong, or that nobody keeps', async () => {
    assert.match(lines(await examineClock(request({ now: 0 }))), /missing clock: the clock says 1970/)
    assert.match(lines(await examineClock(request())), /limited clock: .*nothing was found here/)
    const machine = machineOf({ processes: async () => ['bash', 'chronyd'] })
    assert.match(lines(await examineClock(request({ machine }))), /ok clock: .*chronyd keeps it right/)
  })

  test('no sandbox, no control groups, no container engine', () => {
    assert.match(
      lines([sandboxFinding({ refused: 'bubblewrap is not installed' })]),
      /limited sandbox: bubblewrap is not/,
    )
    assert.match(
      lines([sandboxFinding({ refused: 'No permissions to create a new namespace' })]),
      /limited sandbox: .*No permissions/,
    )
    const without = { memory: true, cpu: false, processes: true }
    assert.match(
      lines(controlFindings({ version: 2, controls: without }, true)),
      /limited cgroups: .* version 2, without CPU/,
    )
    assert.match(lines(controlFindings(null, false)), /limited cgroups: no control group may be written/)
    assert.match(lines([containerFinding('auto', null)]), /limited containers: no container engine/)
    const engine = { socket: '/run/docker.sock', refused: 'EACCES' }
    assert.match(
      lines([containerFinding('auto', engine)]),
      /limited containers: .*docker\.sock does not answer \(EACCES\)/,
    )
  })

  test('tools that a node installs by itself, which it does on Debian alone', async () => {
    const restic = async (programs: string[]) =>
      JSON.stringify(await examineNode(request({ machine: machineOf({ uid: 0, programs }) })))
    assert.match(await restic(['apt-get']), /restic is not installed[^}]*who needs it first waits/)
    assert.match(await restic([]), /restic is not installed[^}]*incremental backups are not made/)
  })

  test('a database that is behind, and a clock that is not the database’s', () => {
    const state = { empty: false, pending: ['0018-containers'], newer: [], clockAheadMs: -61_000, panels: 1 }
    const said = lines(stateFindings('the database', state))
    assert.match(said, /ok database: the database moves forward by 1 step .*\nlimited clock: .*are 61 s apart/)
  })

  test('a certificate that is none, or cannot be read', () => {
    assert.match(lines([certificateFinding('/x.pem', null, 0)]), /missing certificate: \/x\.pem cannot be read/)
    assert.match(
      lines([certificateFinding('/x.pem', 'hello', 0)]),
      /missing certificate: \/x\.pem holds no certificate/,
    )
  })
})

describe('what the kernel says is read as it is:', () => {
  test('nothing where there is nothing', () => {
    assert.deepEqual(
      [openFiles(''), openFiles('Max open files lots'), parseRanges('\n'), parseMounts('x - y')],
      [null, null, [], []],
    )
    assert.deepEqual(
      [parseListeners('tcp', ''), parseListeners('tcp', 'garbage in it'), mountOf('/x', [])],
      [[], [], null],
    )
  })

  test('sockets that listen, and no others', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:11F8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0',
      '   1: 0100007F:11F9 0100007F:11F8 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0',
    ].join('\n')
    assert.deepEqual(parseListeners('tcp', table), [{ protocol: 'tcp', port: 4600, inode: '4711' }])
  })

  test('the nearest mount, the last of those on one place, and names with spaces', () => {
    const mounts = parseMounts(
      [
        '1 0 8:1 / / rw - ext4 a rw',
        '2 1 0:5 / /srv rw - xfs b rw',
        '3 1 0:6 / /srv rw - tmpfs c rw',
        '4 1 0:7 / /my\\040disk rw - xfs d rw',
      ].join('\n'),
    )
    const typeAt = (path: string) => mountOf(path, mounts)?.type
    assert.deepEqual(
      [typeAt('/srv/x'), typeAt('/srvx'), typeAt('/my disk/x'), typeAt('/')],
      ['tmpfs', 'ext4', 'xfs', 'ext4'],
    )
  })

  test('packages that are installed, not those that were', () => {
    const status =
      'Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: deinstall ok config-files\n\nPackage: c\nStatus: install ok installed\n'
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((name) => isInstalled(status, name)),
      [true, false, true, false],
    )
  })
})
