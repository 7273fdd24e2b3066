import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { tar } from '../extraction/testing.ts'
import { attributesAt, makeLink, openAs, removeFile, replace, setAttributes } from '../sftp/files.ts'
import { Growths } from '../sftp/growth.ts'
import { openFlag } from '../sftp/packets.ts'
import { compress, folderArchive } from './compress.ts'
import { decompress } from './decompress.ts'
import { ProtectedFiles } from './protected.ts'
import { noSignal, openTestFiles } from './testing.ts'
import { uploadPart } from './uploads.ts'

const refused = { code: 'forbidden', message: /is protected by this kind of server/ }

test('what a kind of server protects', async (t) => {
  const patterns = ['server.jar', '/config/secret.yml', 'steamcmd/', '*.lic']
  const { files, root } = await openTestFiles(t, undefined, patterns)
  for (const folder of ['config', 'steamcmd', 'mods/inner', 'plain', 'free'])
    await mkdir(join(root, folder), { recursive: true })
  const contents = {
    'server.jar': 'jar',
    'config/secret.yml': 'secret',
    'config/open.yml': 'open',
    'steamcmd/steam.sh': 'steam',
    'mods/inner/a.lic': 'licence',
    'plain/a.txt': 'a',
    'free/secret.yml': 'mine',
  }
  for (const [name, content] of Object.entries(contents)) await writeFile(join(root, name), content)
  await symlink('config/secret.yml', join(root, 'way'))
  await symlink('steamcmd', join(root, 'folder-way'))
  await symlink('/home/server/server.jar', join(root, 'long-way'))
  const write = (path: string) =>
    files.write(path, Readable.from([Buffer.from('evil')]), { overwrite: true, expectedBytes: 4 })
  const denied = [
    '/server.jar',
    '/SERVER.jar',
    '/config/secret.yml',
    '/steamcmd/steam.sh',
    '/mods/inner/a.lic',
    '/new.lic',
    '/plain/server.jar',
  ]
  const throughLinks = ['/way', '/folder-way/steam.sh', '/long-way']

  await t.test('is neither read nor written, by its own path or through links', async () => {
    for (const path of [...denied, ...throughLinks]) {
      await assert.rejects(files.openFile(path), refused, path)
      await assert.rejects(write(path), refused, path)
      await assert.rejects(files.chmod(path, 0o777), refused, path)
      await assert.rejects(files.stat(path), refused, path)
    }
    const part = { id: 'a', path: '/server.jar', offset: 0, total: null, overwrite: true }
    await assert.rejects(uploadPart(files, { ...part, content: Readable.from([Buffer.from('evil')]) }, 0), refused)
    await assert.rejects(files.list('/steamcmd', 10, undefined), refused)
    await assert.rejects(files.createFolder('/steamcmd/mine'), refused)
    // Its name is no secret.
    assert.ok((await files.list('/', 100, undefined)).files.some(({ name }) => name === 'server.jar'))
  })

  await t.test('is not deleted, moved, copied or replaced, nor is a folder that holds it', async () => {
    for (const path of [...denied, '/config', '/mods', '/mods/inner', '/steamcmd']) {
      await assert.rejects(files.delete(path), refused, path)
      await assert.rejects(files.rename(path, '/elsewhere'), refused, path)
      await assert.rejects(files.copy(path, '/elsewhere', noSignal), refused, path)
    }
    await assert.rejects(files.rename('/plain/a.txt', '/new.lic'), refused)
    await assert.rejects(files.copy('/plain/a.txt', '/plain/b.lic', noSignal), refused)
  })

  await t.test('does not come into being by moving a folder to where it would be', async () => {
    await rename(join(root, 'config'), join(root, 'config-away'))
    await assert.rejects(files.rename('/free', '/config'), refused)
    await assert.rejects(files.copy('/free', '/config', noSignal), refused)
    const archive = tar([
      { name: 'config/secret.yml', content: 'evil' },
      { name: 'other.txt', content: 'x' },
    ])
    await writeFile(join(root, 'a.tar'), archive)
    await assert.rejects(decompress(files, { file: '/a.tar', root: '/', overwrite: true, signal: noSignal }), refused)
    await assert.rejects(files.openFile('/other.txt'), { code: 'not_found' })
    await files.delete('/a.tar')
    await rename(join(root, 'config-away'), join(root, 'config'))
  })

  await t.test('is left out of archives, and refused in one by name', async () => {
    const { path } = await compress(files, {
      root: '/',
      names: ['config', 'mods', 'steamcmd'].slice(0, 2),
      name: 'out.tar',
      signal: noSignal,
    })
    const names = execFileSync('tar', ['-tf', join(root, path)]).toString()
    assert.match(names, /config\/open\.yml/)
    assert.doesNotMatch(names, /secret|lic/)
    await assert.rejects(
      compress(files, { root: '/', names: ['server.jar'], name: 'b.zip', signal: noSignal }),
      refused,
    )
    const whole = folderArchive(await files.openFolder('/config'), await files.protectedIn('/config'))
    const listed = execFileSync('tar', ['-tzf', '-'], { input: await buffer(whole) }).toString()
    assert.equal(listed, 'open.yml\n')
    await files.delete('/out.tar')
  })

  await t.test('holds for SFTP as well', async () => {
    const target = { files, growths: new Growths() }
    for (const path of [...denied, ...throughLinks]) {
      await assert.rejects(openAs(target, path, { flags: openFlag.read }), refused, path)
      await assert.rejects(openAs(target, path, { flags: openFlag.write | openFlag.create }), refused, path)
      await assert.rejects(setAttributes(target, path, { size: 0 }), refused, path)
      await assert.rejects(attributesAt(files, path, true), refused, path)
    }
    await assert.rejects(removeFile(files, '/server.jar'), refused)
    await assert.rejects(replace(files, '/plain/a.txt', '/server.jar'), refused)
    await assert.rejects(replace(files, '/mods', '/mods-away'), refused)
    await assert.rejects(makeLink(files, '/new.lic', 'plain/a.txt'), refused)
    // A link may be made to anything inside; it opens nothing.
    await makeLink(files, '/another-way', 'server.jar')
    await assert.rejects(openAs(target, '/another-way', { flags: openFlag.read }), refused)
  })

  await t.test('leaves everything else as it is', async () => {
    assert.equal((await write('/config/open.yml')).size, 4)
    await files.delete('/way')
    await files.rename('/plain', '/moved')
    await files.delete('/free')
    for (const name of ['server.jar', 'config/secret.yml', 'steamcmd/steam.sh', 'mods/inner/a.lic'] as const)
      assert.equal(await readFile(join(root, name), 'utf8'), contents[name])
  })
})

test('patterns that say nothing or cannot be held protect nothing', () => {
  assert.equal(ProtectedFiles.of([]), null)
  assert.equal(ProtectedFiles.of(['', '  ', 'a\nb', `${'*a'.repeat(20)}b`, 'nul\0']), null)
  const held = ProtectedFiles.of(['**/*.key', '!public.key'])
  assert.deepEqual(
    ['a/b.key', 'public.key', '', 'a'].map((path) => held?.has(path)),
    [true, false, false, false],
  )
})
