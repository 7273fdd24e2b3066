import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Release } from './release.ts'
import { Shares } from './shares.ts'

const pieceBytes = 10_000

/** Targets of services, as many of each tenant, and shares of two pieces a turn. */
function services(each: number) {
  let counted = 0
  const shares = new Shares({ contended: () => true, costPerTurn: 2 * pieceBytes, endOfTurn: setImmediate })
  const release = new Release(() => {
    counted++
  }, shares)
  const of = (tenant: string): PassThrough[] =>
    Array.from({ length: each }, () => {
      const target = new PassThrough()
      release.charge(target, tenant)
      return target
    })
  return { release, of, counted: () => counted }
}

const arrived = (targets: PassThrough[]): number => targets.filter((target) => target.read() !== null).length

test('a tenant with much to send leaves the others their turn, and everything of it arrives in order', async () => {
  const { release, of, counted } = services(10)
  const [busy, quiet] = [of('acme'), of('umbrella')]
  for (const target of busy) release.write(target, Buffer.alloc(pieceBytes))
  release.write(quiet[0] ?? assert.fail(), Buffer.from('hello'))
  await turn()
  assert.equal(arrived(quiet), 1)
  assert.ok(counted() >= 1)
  const inOrder: boolean[] = []
  for (let turns = 0; inOrder.length < busy.length && turns < 100; turns++) {
    const before = inOrder.length
    while (inOrder.length < busy.length && busy[inOrder.length]?.read()) inOrder.push(true)
    assert.ok(inOrder.length - before <= 2, 'no more than a share in one turn')
    assert.equal(arrived(busy.slice(inOrder.length)), 0, 'nobody overtakes')
    await turn()
  }
  assert.equal(inOrder.length, busy.length)
})

test('an end that waits with its bytes comes after them', async () => {
  const { release, of } = services(4)
  const targets = of('acme')
  for (const target of targets) {
    release.write(target, Buffer.alloc(pieceBytes))
    release.end(target)
  }
  for (const target of targets) {
    let bytes = 0
    for await (const chunk of target) bytes += chunk.length
    assert.equal(bytes, pieceBytes)
  }
})

test('at the end of everything nothing is held back', () => {
  const { release, of } = services(10)
  const targets = of('acme')
  for (const target of targets) release.write(target, Buffer.alloc(pieceBytes))
  release.flush()
  assert.equal(arrived(targets), targets.length)
})
