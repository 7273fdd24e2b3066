import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { TunnelName } from '../../contract/fields.ts'
import { UsageError } from '../command.ts'
import { labelOf } from './label.ts'
import { nameFrom } from './name-source.ts'

describe('a name made of texts', () => {
  test('is the text itself where that is one', () => {
    assert.equal(labelOf('shop'), 'shop')
    assert.equal(labelOf('shop', 'fix-login'), 'shop--fix-login')
  })

  test('is readable, and marked, where the text had to be changed', () => {
    assert.match(labelOf('Crème brûlée!') ?? '', /^creme-brulee-[0-9a-f]{6}$/)
    assert.match(labelOf('shop', 'feature/Login') ?? '', /^shop-feature-login-[0-9a-f]{6}$/)
  })

  test('differs for branches that would be the same without the mark', () => {
    const branches = ['fix/login', 'fix-login', 'fix_login', 'Fix/login', 'fix--login']
    assert.equal(new Set(branches.map((branch) => labelOf('shop', branch))).size, branches.length)
    assert.notEqual(labelOf('a-b', 'c'), labelOf('a', 'b-c'))
    assert.notEqual(labelOf('a--b', 'c'), labelOf('a', 'b--c'))
  })

  test('is no encoded international name', () => {
    assert.match(labelOf('xn', 'main') ?? '', /^xn-main-[0-9a-f]{6}$/)
  })

  test('cannot be made of what has no letter and no digit', () => {
    assert.equal(labelOf('---', '…'), null)
    assert.equal(labelOf(''), null)
  })

  test('is a DNS label whatever the texts are, and no two texts share one', () => {
    const seen = new Map<string, string>()
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 80 }), { minLength: 1, maxLength: 2 }), (parts) => {
        const label = labelOf(...parts)
        if (label === null) return
        assert.ok(TunnelName.safeParse(label).success, label)
        const known = seen.get(label)
        assert.ok(known === undefined || known === JSON.stringify(parts), `${known} and ${JSON.stringify(parts)}`)
        seen.set(label, JSON.stringify(parts))
      }),
      { numRuns: 500, seed: 6 },
    )
  })
})

describe('a name taken from where a tunnel is opened', () => {
  let root: string
  const git = (cwd: string, ...args: string[]): void => {
    const author = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com']
    execFileSync('git', [...author, ...args], { cwd, stdio: 'pipe', env: { PATH: process.env.PATH, HOME: root } })
  }
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'pharos-names-'))
    await mkdir(join(root, 'shop', 'deep'), { recursive: true })
    git(join(root, 'shop'), 'init', '--initial-branch=main', '.')
    await writeFile(join(root, 'shop', 'a.txt'), 'a')
    git(join(root, 'shop'), 'add', '.')
    git(join(root, 'shop'), 'commit', '-m', 'a')
    git(join(root, 'shop'), 'worktree', 'add', '-b', 'fix-login', join(root, 'second'))
  })
  after(() => rm(root, { recursive: true }))

  test('is the folder’s, the repository’s, with its branch or its working copy', async () => {
    const deep = join(root, 'shop', 'deep')
    assert.equal(await nameFrom('directory', deep), 'deep')
    assert.equal(await nameFrom('repository', deep), 'shop')
    assert.equal(await nameFrom('branch', deep), 'shop--main')
    assert.equal(await nameFrom('worktree', deep), 'shop')
  })

  test('knows further working copies of one repository', async () => {
    const second = join(root, 'second')
    assert.equal(await nameFrom('repository', second), 'shop')
    assert.equal(await nameFrom('branch', second), 'shop--fix-login')
    assert.equal(await nameFrom('worktree', second), 'shop--second')
  })

  test('is the name of where the repository came from', async () => {
    git(join(root, 'shop'), 'remote', 'add', 'other', 'https://example.org/not-this.git')
    git(join(root, 'shop'), 'remote', 'add', 'origin', 'git@example.org:acme/web-shop.git')
    assert.equal(await nameFrom('repository', join(root, 'shop')), 'web-shop')
    assert.equal(await nameFrom('worktree', join(root, 'second')), 'web-shop--second')
    git(join(root, 'shop'), 'remote', 'remove', 'origin')
  })

  test('is refused where no branch is checked out, and where there is no repository', async () => {
    git(join(root, 'second'), 'checkout', '--detach')
    await assert.rejects(
      nameFrom('branch', join(root, 'second')),
      (error) => error instanceof UsageError && /No branch is checked out/.test(error.message),
    )
    await assert.rejects(
      nameFrom('repository', root),
      (error) => error instanceof UsageError && /is in no git repository.*--as/.test(error.message),
    )
    await mkdir(join(root, '…'))
    await assert.rejects(nameFrom('directory', join(root, '…')), /No name can be made/)
  })
})
