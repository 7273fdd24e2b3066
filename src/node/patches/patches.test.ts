import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import type { ConfigPatch } from '../../contract/template.ts'
import { applyPatches } from './index.ts'

type Format = ConfigPatch['format']
type Set = ConfigPatch['set']

const values = { SERVER_PORT: '30001', NAME: 'Ärger & <Co> "x"', WORDS: 'two words', HOST_ADDRESS: '127.0.0.1' }

/** A server's folder with one file in it, or none. */
async function folderWith(t: TestContext, name: string, content: string | Uint8Array | null): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'pharos-patches-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  if (content !== null) {
    await mkdir(join(root, name, '..'), { recursive: true })
    await writeFile(join(root, name), content)
  }
  return root
}

async function apply(root: string, format: Format, set: Set, path = 'file'): Promise<string[]> {
  const notes: string[] = []
  const note = async (line: string): Promise<void> => void notes.push(line)
  await applyPatches([{ path, format, set }], { root, owner: null, values, note })
  return notes
}

/** What becomes of a file. */
async function patched(t: TestContext, format: Format, before: string | null, set: Set): Promise<string> {
  const root = await folderWith(t, 'file', before)
  assert.deepEqual(await apply(root, format, set), [])
  return readFile(join(root, 'file'), 'utf8')
}

const port = { at: 'port', to: '{{SERVER_PORT}}' }

describe('properties', () => {
  test('sets what is there, adds what is not, and leaves comments and the rest', async (t) => {
    const before = '#Minecraft\r\nserver-port=25565\r\nmotd : old\r\nquery.port 1\r\nlevel-name=a\\\r\n  b\r\n'
    const after = await patched(t, 'properties', before, [
      { at: 'server-port', to: '{{SERVER_PORT}}' },
      { at: 'motd', to: '{{NAME}}' },
      { at: 'query.port', to: '{{SERVER_PORT}}' },
      { at: 'server-ip', to: '' },
    ])
    assert.equal(
      after,
      '#Minecraft\r\nserver-port=30001\r\nmotd=\\u00c4rger & <Co> "x"\r\nquery.port=30001\r\nlevel-name=a\\\n  b\r\nserver-ip=\r\n',
    )
  })
  test('makes the file where there is none', async (t) => {
    assert.equal(await patched(t, 'properties', null, [{ at: 'a b', to: 'x\\y\nz' }]), 'a\\ b=x\\\\y\\nz\n')
  })
})

describe('ini', () => {
  test('knows sections, also with dots in their names, and keys above the first', async (t) => {
    const before = 'top=1\n; port=1\n[network]\nserver_port = 3979\n\n[/Script/Game.Mode]\nMax=1\n'
    const after = await patched(t, 'ini', before, [
      { at: 'top', to: '2' },
      { at: 'network.server_port', to: '{{SERVER_PORT}}' },
      { at: 'network.server_name', to: '{{NAME}}' },
      { at: '[/Script/Game.Mode].Max', to: 9 },
      { at: 'new.key.with.dots', to: true },
    ])
    assert.equal(
      after,
      'top=2\n; port=1\n[network]\nserver_port = 30001\nserver_name=Ärger & <Co> "x"\n\n[/Script/Game.Mode]\nMax=9\n\n[new]\nkey.with.dots=true\n',
    )
  })
  test('a line break in a value does not begin another setting', async (t) => {
    assert.equal(await patched(t, 'ini', '[a]\nb=1\n', [{ at: 'a.b', to: 'x\n[c]\nd=1' }]), '[a]\nb=x [c] d=1\n')
  })
})

describe('json', () => {
  test('sets nested keys, items of lists and wildcards, and keeps the types that are there', async (t) => {
    const before = JSON.stringify({
      a: { b: 1, on: false, text: '5' },
      list: [{ host: 'x' }],
      s: { one: { p: 1 }, two: { p: 2 } },
    })
    const after = await patched(t, 'json', before, [
      { at: 'a.b', to: '{{SERVER_PORT}}' },
      { at: 'a.on', to: 'true' },
      { at: 'a.text', to: '{{SERVER_PORT}}' },
      { at: 'list[0].host', to: '0.0.0.0:{{SERVER_PORT}}' },
      { at: 's.*.p', to: 7 },
      { at: 'new.deep.pin', to: '0012' },
      { at: 'dotted~1key', to: '{{SERVER_PORT}}' },
      { at: '__proto__.polluted', to: 'yes' },
    ])
    assert.deepEqual(
      JSON.parse(after),
      JSON.parse(
        '{"a":{"b":30001,"on":true,"text":"30001"},"list":[{"host":"0.0.0.0:30001"}],"s":{"one":{"p":7},"two":{"p":7}},"new":{"deep":{"pin":"0012"}},"dotted.key":30001,"__proto__":{"polluted":"yes"}}',
      ),
    )
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
  })
  test('swaps only what is there and fits, by text or pattern', async (t) => {
    const before = JSON.stringify({ s: { a: { address: 'localhost:25566' }, b: { address: 'far.example:1' }, c: {} } })
    const swap = [{ pattern: '^(127\\.0\\.0\\.1|localhost)(:\\d{1,5})?$', to: '{{HOST_ADDRESS}}$2' }]
    const after = await patched(t, 'json', before, [{ at: 's.*.address', swap }])
    assert.deepEqual(JSON.parse(after), {
      s: { a: { address: '127.0.0.1:25566' }, b: { address: 'far.example:1' }, c: {} },
    })
  })
  test('an index beyond the list is refused instead of making a list of that size', async (t) => {
    const root = await folderWith(t, 'file', '{"l":[1]}')
    assert.match((await apply(root, 'json', [{ at: 'l[99999]', to: 1 }])).join(), /stays as it is/)
    assert.equal(await readFile(join(root, 'file'), 'utf8'), '{"l":[1]}')
  })
})

describe('yaml', () => {
  test('keeps comments and order', async (t) => {
    const before =
      '# proxy\nlisteners:\n- host: 0.0.0.0:25577 # here\n  query_port: 25577\nservers:\n  lobby:\n    address: localhost:25565\n'
    const after = await patched(t, 'yaml', before, [
      { at: 'listeners[0].host', to: '0.0.0.0:{{SERVER_PORT}}' },
      { at: 'listeners[0].query_port', to: '{{SERVER_PORT}}' },
      { at: 'servers.*.address', swap: [{ from: 'localhost:25565', to: '{{HOST_ADDRESS}}:1' }] },
      { at: 'name', to: '{{NAME}}' },
    ])
    assert.equal(
      after,
      '# proxy\nlisteners:\n  - host: 0.0.0.0:30001 # here\n    query_port: 30001\nservers:\n  lobby:\n    address: 127.0.0.1:1\nname: Ärger & <Co> "x"\n',
    )
  })
  test('makes the file where there is none', async (t) => {
    assert.equal(await patched(t, 'yaml', null, [{ at: 'a.b', to: '{{SERVER_PORT}}' }]), 'a:\n  b: 30001\n')
  })
})

describe('xml', () => {
  test('sets texts and attributes, adds what is missing, and keeps the rest', async (t) => {
    const before =
      '<?xml version="1.0"?>\n<!-- <Port>1</Port> -->\n<Settings a="1">\n  <Port>1</Port><Mods x="y"/>\n  <Empty></Empty>\n</Settings>\n'
    const after = await patched(t, 'xml', before, [
      { at: 'Settings.Port', to: '{{SERVER_PORT}}' },
      { at: 'Settings.Mods', to: '{{NAME}}' },
      { at: 'Settings.Empty', to: "[size='4']" },
      { at: 'Settings.New.Deep', to: 'x' },
    ])
    assert.equal(
      after,
      '<?xml version="1.0"?>\n<!-- <Port>1</Port> -->\n<Settings a="1">\n  <Port>30001</Port><Mods x="y">Ärger &amp; &lt;Co&gt; &quot;x&quot;</Mods>\n  <Empty size="4"></Empty>\n<New><Deep>x</Deep></New></Settings>\n',
    )
  })
})

describe('lines', () => {
  test('replaces each line that begins so, and adds none', async (t) => {
    const before = Buffer.from('hostname "old"\r\nsv_password\r\n\xe4 stays\r\n', 'latin1')
    const root = await folderWith(t, 'file', before)
    const set = [
      { at: 'hostname', to: 'hostname "{{NAME}}"' },
      { at: 'nowhere', to: 'x' },
    ]
    assert.deepEqual(await apply(root, 'lines', set), [])
    const name = Buffer.from(values.NAME).toString('latin1')
    assert.equal(await readFile(join(root, 'file'), 'latin1'), `hostname "${name}"\r\nsv_password\r\n\xe4 stays\r\n`)
  })
  test('makes no file', async (t) => {
    const root = await folderWith(t, 'file', null)
    assert.deepEqual(await apply(root, 'lines', [port]), [])
    await assert.rejects(stat(join(root, 'file')), /ENOENT/)
  })
})

describe('hostile files', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(',')}]`)
    .join('\n')}\n`
  const refused: [string, Format, string | Uint8Array, RegExp][] = [
    ['that multiply their aliases', 'yaml', bomb, /alias/i],
    ['that are nested without end', 'yaml', '['.repeat(100_000), /nested too deeply/],
    ['whose lists are nested without end', 'yaml', '- '.repeat(50_000), /nested too deeply/],
    ['that are larger than any configuration', 'properties', 'a=b\n'.repeat(300_000), /larger than/],
    ['that are larger than YAML may be', 'yaml', 'a: b\n'.repeat(30_000), /larger than/],
    ['that are binary', 'ini', Buffer.from([1, 0, 2]), /not plain text/],
    ['in UTF-16', 'ini', Buffer.from('\ufeff[a]\nb=1\n', 'utf16le'), /not plain text/],
    ['that are not UTF-8', 'json', Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/],
    ['that are not JSON', 'json', '{"a":', /JSON/],
    ['that hold no object', 'json', '5', /neither/],
    ['whose XML is nested without end', 'xml', '<port>'.repeat(10_000), /nested too deeply/],
    ['whose XML defines entities', 'xml', '<!DOCTYPE a [<!ENTITY b "c">]><port>1</port>', /document type/],
    ['whose tags do not match', 'xml', '<port><b></port></b>', /do not match/],
    ['whose XML ends in the middle', 'xml', '<port a="', /middle/],
  ]
  for (const [what, format, content, why] of refused)
    test(`${what} stay as they are, and the reason is told`, async (t) => {
      const root = await folderWith(t, 'file', content)
      assert.match((await apply(root, format, [port])).join(), why)
      assert.deepEqual(await readFile(join(root, 'file')), Buffer.from(content as string))
    })

  test('links that lead outside, folders and paths upwards are refused', async (t) => {
    const root = await folderWith(t, 'data/inside', 'port=1\n')
    await writeFile(join(root, 'secret'), 'port=1\n')
    await symlink('../secret', join(root, 'data/file'))
    await symlink(join(root), join(root, 'data/up'))
    await mkdir(join(root, 'data/folder'))
    for (const path of ['file', 'up/secret', 'folder', '../secret', '/etc/passwd'])
      assert.equal((await apply(join(root, 'data'), 'properties', [port], path)).length, 1, path)
    assert.equal(await readFile(join(root, 'secret'), 'utf8'), 'port=1\n')
  })

  test('one file that cannot be changed does not keep the next one from it', async (t) => {
    const root = await folderWith(t, 'bad', '{')
    const notes: string[] = []
    await applyPatches(
      [
        { path: 'bad', format: 'json', set: [port] },
        { path: 'good', format: 'json', set: [port] },
      ],
      { root, owner: null, values, note: async (line) => void notes.push(line) },
    )
    assert.match(notes.join(), /^bad stays as it is/)
    assert.equal(await readFile(join(root, 'good'), 'utf8'), '{\n  "port": 30001\n}\n')
  })

  test('whatever a file holds, it is either changed or left, and never half', async (t) => {
    const root = await folderWith(t, 'file', null)
    const formats: Format[] = ['properties', 'ini', 'json', 'yaml', 'xml', 'lines']
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom(
        '[a]',
        'a.b=',
        '<a>',
        '</a>',
        '{',
        '}',
        '- ',
        ': ',
        '&a ',
        '*a',
        '\n',
        '"',
        "'",
        '!!',
        '\\',
        'port',
      ),
    )
    const path = fc.oneof(
      fc.constantFrom('a.b', 'a[0]', '*.*', '[a].b', 'port', 'a~1b', '__proto__.x', '[0]'),
      fc.string({ minLength: 1, maxLength: 20 }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...formats),
        fc.array(piece, { maxLength: 30 }),
        path,
        fc.string(),
        async (format, pieces, at, to) => {
          const before = Buffer.from(pieces.join(''))
          await writeFile(join(root, 'file'), before)
          const notes = await apply(root, format, [{ at, to }])
          if (notes.length > 0) assert.deepEqual(await readFile(join(root, 'file')), before)
        },
      ),
      { numRuns: 150 },
    )
  })

  test('what was set once is set the same way again', async (t) => {
    for (const [format, before] of [
      ['properties', 'b=1'],
      ['ini', '[a]\nb = 1'],
      ['json', '{"a":{"b":1}}'],
      ['yaml', 'a: {b: 1}'],
      ['xml', '<a><b>1</b></a>'],
    ] as const) {
      const root = await folderWith(t, 'file', before)
      await apply(root, format, [{ at: 'a.b', to: '{{NAME}}' }])
      const once = await readFile(join(root, 'file'), 'utf8')
      await apply(root, format, [{ at: 'a.b', to: '{{NAME}}' }])
      assert.equal(await readFile(join(root, 'file'), 'utf8'), once, format)
    }
  })
})
