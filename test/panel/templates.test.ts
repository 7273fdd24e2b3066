import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ZipFile } from 'yazl'
import type { ApiError } from '../../src/client/index.ts'
import { type Entry, tar } from '../../src/node/extraction/testing.ts'
import { testOnEachDatabase } from '../databases.ts'
import { refused } from '../refused.ts'
import {
  type JoinedFake,
  keyOf,
  type Person,
  type ServersWorld,
  startServersWorld,
  until,
} from '../world/servers-world.ts'

const eggOf = (name: string): Promise<string> => readFile(join(import.meta.dirname, '../eggs', name), 'utf8')

/** A small egg of this name, with parts replaced. */
const egg = (name: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  meta: { version: 'PTDL_v2' },
  name,
  startup: './run {{GREETING}}',
  docker_images: { A: 'example.org/a:1' },
  config: { files: '{}', startup: '{"done":"up"}', stop: 'stop' },
  scripts: { installation: { script: 'true', container: 'example.org/i:1', entrypoint: 'bash' } },
  variables: [
    { name: 'Greeting', env_variable: 'GREETING', default_value: 'hello', rules: 'required|string|max:20' },
    { name: 'App', env_variable: 'APP', default_value: '7', rules: 'required|string', user_editable: false },
    {
      name: 'Url',
      env_variable: 'URL',
      default_value: 'https://secret.example',
      rules: 'required',
      user_editable: false,
      user_viewable: false,
    },
    { name: 'Token', env_variable: 'TOKEN', default_value: '', rules: 'nullable|alpha_num' },
  ],
  ...more,
})

let world: ServersWorld
let admin: Person
let ada: Person
let node: JoinedFake
let now = Date.UTC(2026, 5, 3, 10)
before(async () => {
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms)
      signal?.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason)
      })
    })
  world = await startServersWorld('sqlite', { now: () => now, sleep })
  admin = await world.person(
    'admin@example.com',
    { workspaceId: await world.workspace('home'), role: 'owner' },
    { instanceAdmin: true },
  )
  ada = await world.person('ada@example.com', { workspaceId: await world.workspace('acme'), role: 'owner' })
  node = await world.node(admin, { name: 'one', publicAddress: 'play.example.org', memoryMib: 200_000 })
})
after(() => world[Symbol.asyncDispose]())

const specOf = (id: string) => {
  const spec = node.servers.get(keyOf(id))?.spec
  assert.ok(spec, `the node has no server ${id}`)
  return spec
}

describe('an imported egg', () => {
  test('is a template like any other; servers are made from it, with what only administrators know', async () => {
    const { template, outcome, notes } = await admin.api.importTemplate({ body: { egg: egg('Greeter') } })
    assert.deepEqual([template.id, outcome, template.origin], ['greeter', 'added', 'imported'])
    assert.ok(notes.some(({ where }) => where === 'resources'))
    const seen = (await ada.api.templates()).find(({ id }) => id === 'greeter')
    assert.deepEqual(
      seen?.variables.map(({ name, access }) => [name, access]),
      [
        ['GREETING', undefined],
        ['APP', 'view'],
        ['TOKEN', undefined],
      ],
    )
    const { id, variables } = await ada.api.createServer({
      body: { name: 'one', template: 'greeter', variables: { GREETING: 'hi' } },
    })
    assert.deepEqual(variables, { GREETING: 'hi', APP: '7', TOKEN: '' })
    assert.deepEqual(specOf(id).variables, { GREETING: 'hi', APP: '7', TOKEN: '', URL: 'https://secret.example' })
    const startup = await ada.api.startup({ params: { serverId: keyOf(id) } })
    assert.doesNotMatch(JSON.stringify(startup), /secret/)
  })

  test('refuses values that its rules refuse, and those that are not for everybody to set', async () => {
    const make = (variables: Record<string, string>, who = ada) =>
      who.api.createServer({ body: { name: 'x', template: 'greeter', variables, start: false } })
    await assert.rejects(make({ GREETING: '' }), refused('invalid_request', /GREETING must be text of 1 to 20/))
    await assert.rejects(make({ TOKEN: 'a b' }), refused('invalid_request', /TOKEN must be text that matches/))
    await assert.rejects(make({ APP: '8' }), refused('invalid_request', /APP is for administrators/))
    await assert.rejects(make({ URL: 'x' }), refused('invalid_request', /URL is not a variable/))
    await assert.rejects(make({ URL: 'x' }, admin), refused('invalid_request', /URL is not a variable/))
    const { id } = await make({ APP: '8' }, admin)
    assert.equal(specOf(id).variables.APP, '8')
    await assert.rejects(
      ada.api.updateStartup({ params: { serverId: keyOf(id) }, body: { variables: { APP: '9' } } }),
      refused('not_found', /./),
    )
  })

  test('a newer version changes no server before it takes it', async () => {
    const { id } = await ada.api.createServer({
      body: { name: 'old', template: 'greeter', variables: { GREETING: 'stay', TOKEN: 'abc' } },
    })
    const params = { serverId: keyOf(id) }
    const newer = egg('Greeter', {
      startup: './newer',
      variables: [
        { name: 'Greeting', env_variable: 'GREETING', default_value: 'hello', rules: 'required|string|max:20' },
        { name: 'Token', env_variable: 'TOKEN', default_value: '5', rules: 'required|integer' },
        { name: 'More', env_variable: 'MORE', default_value: 'x', rules: 'required' },
      ],
    })
    await assert.rejects(
      admin.api.importTemplate({ body: { egg: newer } }),
      refused('conflict', /another template greeter.*replace/),
    )
    const preview = await admin.api.importTemplate({ body: { egg: newer, replace: true, preview: true } })
    assert.equal(preview.outcome, 'updated')
    assert.ok(
      (await admin.api.template({ params: { template: 'greeter' } })).variables.some(({ name }) => name === 'URL'),
    )
    assert.equal((await admin.api.importTemplate({ body: { egg: newer, replace: true } })).outcome, 'updated')
    assert.equal((await admin.api.importTemplate({ body: { egg: newer } })).outcome, 'same')
    await ada.api.updateServer({ params, body: { name: 'still old' } })
    const { newer: change } = await ada.api.startup({ params })
    assert.ok(change?.parts.includes('start'))
    assert.deepEqual(
      change?.variables.map(({ name, from, to }) => [name, from, to]),
      [
        ['APP', '7', null],
        ['TOKEN', 'abc', '5'],
        ['MORE', null, 'x'],
      ],
    )
    assert.doesNotMatch(JSON.stringify(change), /URL|secret/)
    const [forAdmin, forAda] = await Promise.all(
      [admin, ada].map(({ api }) => api.template({ params: { template: 'greeter' } })),
    )
    assert.ok((forAdmin?.servers ?? 0) >= 1)
    assert.equal(forAda?.servers, null)
    assert.equal(specOf(id).template.start.lines?.[0]?.line, './run {{GREETING}}')
    const { variables } = await ada.api.takeTemplate({ params })
    assert.deepEqual(Object.fromEntries(variables.map(({ name, value }) => [name, value])), {
      GREETING: 'stay',
      TOKEN: '5',
      MORE: 'x',
    })
    assert.equal(specOf(id).template.start.lines?.[0]?.line, './newer')
  })

  test('what an administrator says of it stays when it is imported again', async () => {
    await admin.api.importTemplate({ body: { egg: egg('Edited') } })
    const params = { template: 'edited' }
    const edited = await admin.api.updateTemplate({ params, body: { protocols: ['tcp'], resources: { memory: 512 } } })
    assert.deepEqual([edited.protocols, edited.resources.memory, edited.resources.cpu], [['tcp'], 512, 2])
    const again = await admin.api.importTemplate({
      body: { egg: egg('Edited', { startup: './other' }), replace: true },
    })
    assert.deepEqual([again.template.protocols, again.template.resources.memory], [['tcp'], 512])
  })

  test('cannot be deleted while a server is made from it; those that come with the program never', async () => {
    await assert.rejects(
      admin.api.deleteTemplate({ params: { template: 'greeter' } }),
      refused('conflict', /greeter is used by/),
    )
    await assert.rejects(
      admin.api.deleteTemplate({ params: { template: 'paper' } }),
      refused('conflict', /comes with this installation/),
    )
    await assert.rejects(admin.api.deleteTemplate({ params: { template: 'missing' } }), refused('not_found', /missing/))
    await assert.rejects(
      admin.api.updateTemplate({ params: { template: 'paper' }, body: { category: 'tool' } }),
      refused('conflict', /comes with/),
    )
    await assert.rejects(
      admin.api.importTemplate({ body: { egg: egg('Paper'), replace: true } }),
      refused('conflict', /another id/),
    )
    await admin.api.deleteTemplate({ params: { template: 'edited' } })
    assert.ok(!(await ada.api.templates()).some(({ id }) => id === 'edited'))
    await assert.rejects(
      ada.api.createServer({ body: { name: 'x', template: 'edited' } }),
      refused('invalid_request', /no template "edited"/),
    )
  })

  test('is exported again, and what eggs have no words for is refused', async () => {
    const { egg: exported } = await admin.api.exportTemplate({ params: { template: 'greeter' } })
    assert.equal((exported.meta as { version: string }).version, 'PTDL_v2')
    await assert.rejects(
      admin.api.exportTemplate({ params: { template: 'paper' } }),
      refused('conflict', /cannot be an egg/),
    )
  })

  test('is for administrators of the installation alone', async () => {
    const params = { template: 'greeter' }
    await assert.rejects(ada.api.importTemplate({ body: { egg: egg('Mine') } }), refused('forbidden', /./))
    await assert.rejects(ada.api.exportTemplate({ params }), refused('forbidden', /./))
    await assert.rejects(ada.api.deleteTemplate({ params }), refused('forbidden', /./))
    await assert.rejects(ada.api.templateSources(), refused('forbidden', /./))
  })

  test('that is none is refused by the part that is wrong', async () => {
    await assert.rejects(
      admin.api.importTemplate({ body: { egg: '{' } }),
      refused('invalid_request', /neither JSON nor YAML/),
    )
    await assert.rejects(admin.api.importTemplate({ body: { egg: {} } }), refused('invalid_request', /PTDL_v2/))
  })
})

describe('a source', () => {
  const page = { status: 200, body: Buffer.alloc(0) as Buffer, location: '' }
  const web = createServer((_request, response) => {
    if (page.location !== '') response.writeHead(302, { location: page.location }).end()
    else response.writeHead(page.status).end(page.body)
  })
  let url = ''
  before(async () => {
    web.listen(0, '127.0.0.1')
    await once(web, 'listening')
    url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/eggs.tar.gz`
  })
  after(() => web.close())

  const archive = (files: Record<string, unknown>, more: Entry[] = []): Buffer =>
    gzipSync(
      tar([
        ...Object.entries(files).map(([name, content]) => ({
          name: `repo-main/${name}`,
          content: typeof content === 'string' ? content : JSON.stringify(content),
        })),
        ...more,
      ]),
    )
  const add = (name: string, more: object = {}) =>
    admin.api.createTemplateSource({ body: { name, url, allowPrivate: true, ...more } })
  const sync = async (source: string): Promise<Record<string, string>> => {
    const { lastSync } = await admin.api.syncTemplateSource({ params: { source } })
    return Object.fromEntries(
      (lastSync?.files ?? []).map(({ path, outcome, template }) => [path, `${outcome} ${template}`]),
    )
  }

  test('brings what is new and changed, says it, and keeps what is gone', async () => {
    const { id } = await add('changing')
    page.body = archive({
      'a/egg-one.json': egg('One'),
      'egg-two.yaml': await eggOf('bungeecord.yaml'),
      'broken.json': '{"meta": {"version": "PTDL_v2"',
      'README.md': 'no',
      'package.json': '{}',
    })
    assert.deepEqual(await sync(id), {
      'a/egg-one.json': 'added one',
      'egg-two.yaml': 'added bungeecord',
      'broken.json': 'failed null',
    })
    assert.deepEqual(await sync(id), {
      'a/egg-one.json': 'same one',
      'egg-two.yaml': 'same bungeecord',
      'broken.json': 'failed null',
    })
    page.body = archive({ 'a/egg-one.json': egg('One', { startup: './changed' }), 'other/egg-one.json': egg('One') })
    assert.deepEqual(await sync(id), {
      'a/egg-one.json': 'updated one',
      'other/egg-one.json': 'added one-2',
      'egg-two.yaml': 'gone bungeecord',
    })
    assert.ok((await ada.api.templates()).some(({ id: template }) => template === 'bungeecord'))
    await admin.api.deleteTemplateSource({ params: { source: id } })
    assert.ok((await ada.api.templates()).some(({ id: template }) => template === 'one-2'))
    await assert.rejects(sync(id), refused('not_found', /./))
  })

  test('may be a zip, one folder of an archive, or a single egg', async () => {
    const zip = new ZipFile()
    zip.addBuffer(Buffer.from(JSON.stringify(egg('Zipped'))), 'top/in/egg.json')
    zip.addBuffer(Buffer.from(JSON.stringify(egg('Elsewhere'))), 'top/out/egg.json')
    zip.end()
    page.body = await buffer(zip.outputStream as never)
    assert.deepEqual(await sync((await add('zip', { folder: 'in' })).id), { 'in/egg.json': 'added zipped' })
    page.body = Buffer.from(JSON.stringify(egg('Alone')))
    assert.deepEqual(await sync((await add('single')).id), { 'eggs.tar.gz': 'added alone' })
  })

  test('is read by itself when its time has come, once however many look', async () => {
    page.body = archive({ 'egg.json': egg('Timed') })
    const { id, nextSyncAt } = await add('timed', { everyHours: 2 })
    assert.equal(nextSyncAt, new Date(now + 7_200_000).toISOString())
    await world.templateSources.look()
    const find = async () => (await admin.api.templateSources()).sources.find((source) => source.id === id)
    assert.equal((await find())?.lastSync, null)
    now += 7_200_000
    await Promise.all([world.templateSources.look(), world.templateSources.look()])
    const source = await find()
    assert.deepEqual(
      source?.lastSync?.files.map(({ outcome }) => outcome),
      ['added'],
    )
    assert.equal(source?.nextSyncAt, new Date(now + 7_200_000).toISOString())
  })

  test('on a private address is not fetched unless that was allowed, and a redirect leads there no more', async () => {
    const { id } = await add('private', { allowPrivate: false })
    await assert.rejects(sync(id), refused('conflict', /not on the public internet/))
    const [source] = (await admin.api.templateSources()).sources.filter((each) => each.id === id)
    assert.match(source?.lastSync?.error ?? '', /not on the public internet/)
    await admin.api.updateTemplateSource({ params: { source: id }, body: { url: 'http://localhost:1/x.zip' } })
    await assert.rejects(sync(id), refused('conflict', /not on the public internet|not known/))
  })

  const bad: [string, () => Buffer, RegExp][] = [
    ['nothing of ours', () => archive({ 'package.json': '{}' }), /There is no egg/],
    ['an archive that is cut off', () => archive({ 'egg.json': egg('Cut') }).subarray(0, 100), /damaged/],
    [
      'a tar that ends in the middle',
      () => gzipSync(tar([{ name: 'egg.json', content: JSON.stringify(egg('Cut')) }]).subarray(0, 700)),
      /ends in the middle/,
    ],
    ['gzip of what is no tar', () => gzipSync(Buffer.alloc(2048, 'x')), /no archive/],
    [
      'a bomb',
      () => gzipSync(Buffer.concat([tar([{ name: 'a', content: 'x' }]).subarray(0, 1024), Buffer.alloc(0)])),
      /There is no egg/,
    ],
    ['a zip that is none', () => Buffer.from('PK\u0003\u0004nonsense'), /could not be read/],
    [
      'links and devices',
      () =>
        gzipSync(
          tar([
            { name: 'egg.json', type: '2', link: '/etc/passwd' },
            { name: 'x.json', type: '3' },
          ]),
        ),
      /There is no egg/,
    ],
    ['a web page', () => Buffer.from('<html>'), /./],
  ]
  for (const [what, body, why] of bad)
    test(`that gives ${what} changes nothing and says why`, async () => {
      const before = (await admin.api.templates()).length
      const { id } = await add(`bad ${what}`)
      page.body = body()
      const outcome = await sync(id).then(
        (files) => Object.values(files).join(),
        (error: ApiError) => error.message,
      )
      assert.match(outcome, why === bad.at(-1)?.[2] ? /failed null/ : why)
      assert.equal((await admin.api.templates()).length, before)
      await admin.api.deleteTemplateSource({ params: { source: id } })
    })

  test('that answers with an error, or leads nowhere, says so', async () => {
    const { id } = await add('failing')
    page.status = 404
    await assert.rejects(sync(id), refused('conflict', /answered 404/))
    page.status = 200
    page.location = 'ftp://example.org/x'
    await assert.rejects(sync(id), refused('conflict', /Only http and https/))
    page.location = ''
  })

  test('refuses a second one of its name, passwords in its URL, and other schemes', async () => {
    await assert.rejects(add('failing'), refused('conflict', /called failing already/))
    await assert.rejects(add('secret', { url: 'https://a:b@example.org/x.zip' }), refused('conflict', /password/))
    await assert.rejects(add('file', { url: 'file:///etc/passwd' }), refused('invalid_request', /url/))
    await assert.rejects(add('never', { everyHours: 0 }), refused('invalid_request', /everyHours/))
  })

  test('is not read twice at once', async () => {
    const { id } = await add('slow')
    page.body = archive({ 'egg.json': egg('Slow') })
    const outcomes = await Promise.allSettled([sync(id), sync(id)])
    const failed = outcomes.filter(({ status }) => status === 'rejected')
    if (failed.length > 0)
      assert.ok(refused('conflict', /being read at this moment/)((failed[0] as PromiseRejectedResult).reason))
    await until('it can be read again', async () => (await sync(id))['egg.json'] === 'same slow')
  })
})

testOnEachDatabase('templates and sources are kept the same way', async (database, t) => {
  const other = await startServersWorld(database)
  t.after(() => other[Symbol.asyncDispose]())
  const home = await other.workspace('home')
  const { api } = await other.person('admin@example.com', { workspaceId: home, role: 'owner' }, { instanceAdmin: true })
  assert.equal((await api.importTemplate({ body: { egg: egg('Kept') } })).outcome, 'added')
  assert.equal((await api.importTemplate({ body: { egg: egg('Kept') } })).outcome, 'same')
  await api.updateTemplate({ params: { template: 'kept' }, body: { category: 'tool' } })
  assert.deepEqual(
    (await api.templates()).map(({ id, category }) => [id, category]),
    [
      ['kept', 'tool'],
      ['paper', 'tool'],
    ],
  )
  const body = { name: 'one', url: 'http://127.0.0.1:1/eggs.zip', everyHours: 1 }
  const { id } = await api.createTemplateSource({ body })
  await assert.rejects(api.createTemplateSource({ body }), refused('conflict', /called one already/))
  await assert.rejects(
    api.syncTemplateSource({ params: { source: id } }),
    refused('conflict', /not on the public internet/),
  )
  await api.deleteTemplateSource({ params: { source: id } })
  await api.deleteTemplate({ params: { template: 'kept' } })
  assert.deepEqual((await api.templateSources()).sources, [])
})
