import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AppError, type ErrorCode } from '../../contract/errors.ts'
import { Template } from '../../contract/template.ts'
import type { LiveNode } from '../nodes/index.ts'
import { changeRuntime, chooseRuntime } from './runtime.ts'

const plain = Template.parse({
  ...{ id: 'plain', name: 'Plain', summary: 'For tests', protocols: ['tcp'] },
  ...{ resources: { memory: 256, disk: 1000, cpu: 1 }, start: { command: ['game'] } },
  stop: { by: 'signal', signal: 'SIGTERM' },
})
const imaged: Template = { ...plain, id: 'imaged', images: [{ name: 'Java', image: 'example.org/java:21' }] }
// Only what a node says of itself decides.
const node = (containers: object | null) => ({ name: 'one', facts: { capabilities: { containers } } }) as LiveNode
const [bare, able] = [node(null), node({ engine: 'Docker Engine 1' })]
const [member, admin] = [{ instanceAdmin: false }, { instanceAdmin: true }]

const refused = (code: ErrorCode, words: RegExp, act: () => unknown): void => {
  assert.throws(act, (error) => error instanceof AppError && error.code === code && words.test(error.message))
}

describe('a new server', () => {
  test('runs in a container where its template names images and a node can, else in the sandbox', () => {
    assert.equal(chooseRuntime(imaged, {}, [bare, able], member).runtime, 'docker')
    assert.equal(chooseRuntime(imaged, {}, [bare], member).runtime, 'sandbox')
    assert.equal(chooseRuntime(plain, {}, [able], member).runtime, 'sandbox')
    assert.equal(chooseRuntime(imaged, { runtime: 'sandbox' }, [able], member).runtime, 'sandbox')
  })
  test('takes one of its template’s images from anybody, and any other from an administrator', () => {
    const own = { image: 'example.org/java:21' }
    assert.deepEqual(chooseRuntime(imaged, own, [], member), { runtime: 'docker', ...own })
    assert.equal(chooseRuntime(plain, { image: 'alpine' }, [], admin).image, 'alpine')
  })
  test('refuses an image of nobody’s from a member', () => {
    refused('forbidden', /Choose one of example\.org/, () => chooseRuntime(imaged, { image: 'alpine' }, [], member))
    refused('forbidden', /names no container images/, () => chooseRuntime(plain, { image: 'alpine' }, [], member))
  })
  test('refuses a container without an image, and an image without a container', () => {
    refused('invalid_request', /image is needed/, () => chooseRuntime(plain, { runtime: 'docker' }, [able], admin))
    const both = { runtime: 'sandbox', image: 'example.org/java:21' } as const
    refused('invalid_request', /is for servers that run in a container/, () => chooseRuntime(imaged, both, [], admin))
  })
})

describe('a server that is there', () => {
  const inside = { runtime: 'docker', image: 'alpine' } as const
  const outside = { runtime: 'sandbox', image: null } as const
  test('moves to the sandbox without its image, and keeps what an administrator chose otherwise', () => {
    assert.deepEqual(changeRuntime(plain, inside, { runtime: 'sandbox' }, able, member), outside)
    assert.deepEqual(changeRuntime(plain, inside, { runtime: 'docker' }, able, member), inside)
    assert.deepEqual(changeRuntime(imaged, inside, { image: null }, able, member), { runtime: 'docker', image: null })
  })
  test('refuses a container on a node without an engine', () => {
    refused('conflict', /Node one runs no containers/, () =>
      changeRuntime(imaged, outside, { runtime: 'docker' }, bare, member),
    )
  })
  test('refuses another image from a member', () => {
    refused('forbidden', /administrators/, () => changeRuntime(imaged, inside, { image: 'busybox' }, able, member))
  })
})
