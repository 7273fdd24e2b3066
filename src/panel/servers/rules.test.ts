import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AppError } from '../../contract/errors.ts'
import type { ServerState } from '../../contract/node.ts'
import { powerActions, powerRules, serverStatuses } from '../../contract/power.ts'
import { mustAllowCommand, mustAllowPower, mustAllowReinstall } from './can.ts'
import { firstFreePort, type Machine, rankMachines, refusalOf, type Wish } from './placement.ts'
import { ServerStates } from './states.ts'
import { type StatusFacts, statusOf } from './status.ts'

const state = (phase: ServerState['phase'], more: Partial<ServerState> = {}): ServerState => ({
  id: '1a7ce997',
  revision: 1,
  phase,
  since: 1000,
  message: null,
  lastExit: null,
  usage: null,
  ...more,
})

describe('the status', () => {
  const facts: StatusFacts = {
    suspended: false,
    moving: null,
    nodeName: 'one',
    nodeOnline: true,
    state: state('running'),
    reported: true,
  }
  const cases: [what: string, change: Partial<StatusFacts>, status: string, words?: RegExp][] = [
    ['is what the node says', {}, 'running'],
    ['is unknown while the node is away, whatever it said last', { nodeOnline: false }, 'unknown', /Node one is away/],
    ['is unknown until a node that came back has spoken', { state: null }, 'unknown', /has not reported/],
    [
      'is installing before the first word of all',
      { state: null, reported: false },
      'installing',
      /Waiting for node one/,
    ],
    ['is suspended whatever the server does', { suspended: true }, 'suspended'],
    [
      'is transferring whatever the server does, and whether the node is here',
      { moving: 'Copying its files: 43 %.', nodeOnline: false },
      'transferring',
      /43 %/,
    ],
    ['is suspended also while the node is away', { suspended: true, nodeOnline: false }, 'suspended'],
    [
      'carries the node’s words',
      { state: state('install_failed', { message: 'disk full' }) },
      'install_failed',
      /disk full/,
    ],
  ]
  for (const [what, change, status, words] of cases)
    test(what, () => {
      const seen = statusOf({ ...facts, ...change })
      assert.equal(seen.status, status)
      if (words) assert.match(seen.message ?? '', words)
    })
})

describe('what a status allows', () => {
  const says = (act: () => void): string => {
    try {
      act()
      return ''
    } catch (error) {
      assert.ok(error instanceof AppError && error.code === 'conflict')
      return error.message
    }
  }
  test('every refusal names the server and is a sentence with a next move', () => {
    for (const status of serverStatuses)
      for (const action of powerActions) {
        const words = says(() => mustAllowPower('Lobby', action, { status, message: null }))
        assert.equal(words === '', ['do', 'done'].includes(powerRules[action][status]))
        if (words) assert.match(words, /^Cannot (start|stop|restart|kill) Lobby\. .+: .+\.$/)
      }
  })
  test('a hanging stop can be killed, and nothing starts in the middle of it', () => {
    assert.equal(
      says(() => mustAllowPower('L', 'kill', { status: 'stopping', message: null })),
      '',
    )
    assert.match(
      says(() => mustAllowPower('L', 'start', { status: 'stopping', message: null })),
      /still stopping/,
    )
  })
  test('nothing can be done while the node is away, and its name is said', () => {
    const now = { status: 'unknown', message: 'Node one is away.' } as const
    for (const action of powerActions)
      assert.match(
        says(() => mustAllowPower('L', action, now)),
        /Node one is away/,
      )
    assert.match(
      says(() => mustAllowCommand('L', now)),
      /Node one is away/,
    )
    assert.match(
      says(() => mustAllowReinstall('L', now)),
      /Node one is away/,
    )
  })
  test('a suspended server can be stopped and killed, and not started', () => {
    const now = { status: 'suspended', message: null } as const
    for (const action of ['stop', 'kill'] as const)
      assert.equal(
        says(() => mustAllowPower('L', action, now)),
        '',
      )
    for (const action of ['start', 'restart'] as const)
      assert.match(
        says(() => mustAllowPower('L', action, now)),
        /suspended/,
      )
  })
})

describe('placement', () => {
  const machine = (name: string, more: Partial<Machine> = {}): Machine => ({
    id: name,
    name,
    online: true,
    maintenance: false,
    labels: {},
    capacity: { memory: 8000, disk: 100_000, cpu: 4 },
    factors: { memory: 1, disk: null, cpu: null },
    containers: false,
    promised: { memory: 0, disk: 0, cpu: 0 },
    ...more,
  })
  const wish: Wish = { memory: 1000, disk: 2000, cpu: 1, labels: {}, container: false }
  const order = (machines: Machine[], asked = wish) => rankMachines(machines, asked).map(({ name }) => name)
  const promised = (memory: number, disk = 0, cpu = 0) => ({ promised: { memory, disk, cpu } })

  test('prefers the most memory that nobody was promised, then the cores that were promised less, then the name', () => {
    assert.deepEqual(order([machine('a', promised(6000)), machine('b', promised(100)), machine('c')]), ['c', 'b', 'a'])
    assert.deepEqual(order([machine('b', promised(0, 0, 3)), machine('a', promised(0, 0, 4)), machine('c')]), [
      'c',
      'b',
      'a',
    ])
    assert.deepEqual(order([machine('b'), machine('a')]), ['a', 'b'])
  })
  test('leaves out machines without an engine where the server runs in a container, and says so', () => {
    const asked = { ...wish, container: true }
    assert.deepEqual(order([machine('a'), machine('b', { containers: true })], asked), ['b'])
    assert.match(refusalOf([machine('a')], asked), /a container engine.*a: runs no containers/)
  })
  test('leaves out machines without room, also one that promised more than it has', () => {
    assert.deepEqual(order([machine('a', promised(7001)), machine('b', promised(9000))]), [])
    assert.deepEqual(order([machine('exact', promised(7000))]), ['exact'])
  })
  test('counts disk and cores where the machine says how much of them may be promised, and more than it has where that is more', () => {
    const counted = { factors: { memory: 1.5, disk: 1, cpu: 2 } }
    assert.deepEqual(order([machine('disk', { ...counted, ...promised(0, 98_001) })]), [])
    assert.deepEqual(order([machine('cpu', { ...counted, ...promised(0, 0, 7.5) })]), [])
    assert.deepEqual(order([machine('over', { ...counted, ...promised(11_000, 98_000, 7) })]), ['over'])
    assert.deepEqual(
      order([machine('any', { factors: { memory: null, disk: null, cpu: null }, ...promised(99_000) })]),
      ['any'],
    )
  })
  test('takes only machines that have all of the labels, are here, and in no maintenance', () => {
    const eu = { ...wish, labels: { region: 'eu', disk: 'nvme' } }
    assert.deepEqual(
      order(
        [
          machine('half', { labels: { region: 'eu' } }),
          machine('other', { labels: { region: 'us', disk: 'nvme' } }),
          machine('whole', { labels: { region: 'eu', disk: 'nvme', rack: '2' } }),
          machine('away', { labels: eu.labels, online: false }),
          machine('closed', { labels: eu.labels, maintenance: true }),
        ],
        eu,
      ),
      ['whole'],
    )
  })
  test('says of every machine what it lacks', () => {
    const words = refusalOf(
      [
        machine('full', promised(7900)),
        machine('far', { labels: { region: 'us' } }),
        machine('closed', { maintenance: true }),
        machine('gone', { online: false, capacity: null }),
        machine('small', { factors: { memory: 1, disk: 1, cpu: 1 }, ...promised(0, 99_000, 3.5) }),
      ],
      { ...wish, labels: { region: 'eu' } },
    )
    assert.match(
      words,
      /^No node has room for this server \(1000 MiB of memory, 2000 MiB of disk, 1 core, region=eu\)\. /,
    )
    assert.match(words, /full: not labelled region=eu, 100 MiB of memory left; far: not labelled region=eu; /)
    assert.match(words, /closed: in maintenance; gone: away; /)
    assert.match(words, /small: not labelled region=eu, 1000 MiB of disk left, 0\.5 cores left\. Ask for less/)
    const many = Array.from({ length: 12 }, (_, index) => machine(`n${index}`, { maintenance: true }))
    assert.match(refusalOf(many, wish), /n9: in maintenance; and 2 more\./)
  })
  test('takes the lowest free port, both ends of the range included, and none beyond', () => {
    assert.equal(firstFreePort({ first: 1, last: 3 }, new Set([1, 2])), 3)
    assert.equal(firstFreePort({ first: 2, last: 3 }, new Set([1])), 2)
    assert.equal(firstFreePort({ first: 1, last: 1 }, new Set([1])), null)
  })
})

describe('what nodes say', () => {
  const clock = { now: () => 10_000, sleep: async () => undefined }
  const one = { id: 'node_1', name: 'one' }
  test('a reply that is older than an event does not undo it', () => {
    const states = new ServerStates(clock)
    states.report(one, state('running', { since: 2000 }), false)
    states.offer(one, state('starting', { since: 1500 }), false)
    assert.equal(states.of('node_1', '1a7ce997')?.phase, 'running')
    states.offer(one, state('stopping', { since: 3000 }), false)
    assert.equal(states.of('node_1', '1a7ce997')?.phase, 'stopping')
  })
  test('the end of an older link takes nothing from a newer one', () => {
    const states = new ServerStates(clock)
    const newer = { ...one }
    states.report(one, state('running'), false)
    states.report(newer, state('running'), false)
    states.away(one)
    assert.equal(states.of('node_1', '1a7ce997')?.phase, 'running')
    states.away(newer)
    assert.equal(states.of('node_1', '1a7ce997'), null)
  })
  test('a node that leaves makes each of its servers unknown, and says so', () => {
    const states = new ServerStates(clock)
    const heard: string[] = []
    states.news.on((news) => heard.push(`${news.serverId} ${news.type === 'status' ? news.status : news.type}`))
    states.report(one, state('running'), false)
    states.away(one)
    assert.deepEqual(heard, ['1a7ce997 running', '1a7ce997 unknown'])
  })
  test('usage of a server that was not reported is nothing', () => {
    const states = new ServerStates(clock)
    const heard: unknown[] = []
    states.news.on((news) => heard.push(news))
    states.use(one, 'ffffffff', {
      memoryBytes: 1,
      cpuCores: 1,
      diskBytes: 1,
      networkRxBytes: 1,
      networkTxBytes: 1,
      processes: 1,
    })
    assert.deepEqual(heard, [])
  })
})
