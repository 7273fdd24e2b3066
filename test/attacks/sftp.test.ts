import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { link, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import ssh2, { type SFTPWrapper } from 'ssh2'
import { createClient } from '../../src/client/index.ts'
import { publicOperations } from '../../src/contract/api/index.ts'
import { asBrowser } from '../world/browser-session.ts'
import { type FilesWorld, startFilesWorld } from '../world/files-world.ts'
import { addMember } from '../world/panel.ts'
import { call, connectSftp, connectSsh, rawSftp } from '../world/sftp-client.ts'

const mebibyte = 1024 * 1024
const diskMib = 16

let world: FilesWorld
let root: string
let port: number
const keys = ssh2.utils.generateKeyPairSync('ed25519')

before(async () => {
  world = await startFilesWorld({ sftp: true, disk: diskMib })
  root = world.root()
  port = world.node.sftp?.port ?? 0
  await world.api.createSshKey({ body: { publicKey: keys.public } })
  await mkdir(join(world.folder, 'canary'))
  await writeFile(join(world.folder, 'canary/keep'), 'outside')
})
after(() => world?.[Symbol.asyncDispose]())
beforeEach(async () => {
  for (const name of await readdir(root)) await rm(join(root, name), { recursive: true, force: true })
})

const asAda = (server = world.server) => ({
  port,
  username: `ada@example.com.${server}`,
  privateKey: keys.private,
})
const anonymous = (token?: string) =>
  createClient(publicOperations, { baseUrl: world.baseUrl, ...(token ? { token } : {}) })
const member = (email: string) => addMember({ api: world.baseUrl, acme: world.api, client: anonymous }, email, 'member')
const passwordOf = (email: string): string => `${email} has a password`

const open = (sftp: SFTPWrapper, path: string, flags: Parameters<SFTPWrapper['open']>[1]) =>
  call<Buffer>((done) => sftp.open(path, flags, done))
const write = (sftp: SFTPWrapper, file: Buffer, bytes: Buffer, at: number) =>
  call((done) => sftp.write(file, bytes, 0, bytes.length, at, done))
const names = (sftp: SFTPWrapper, path = '/') => call<unknown[]>((done) => sftp.readdir(path, done as never))

test('SFTP writes never get past the disk limit, whatever offset, handle or attribute they use (CVE-2026-61617)', async () => {
  await using ada = await connectSftp(asAda())
  const { sftp } = ada
  const block = Buffer.alloc(32 * 1024, 'x')
  const file = await open(sftp, '/far', 'w')
  for (const offset of [2 ** 40, diskMib * mebibyte, Number.MAX_SAFE_INTEGER - block.length])
    await assert.rejects(write(sftp, file, block, offset), /disk limit|Failure/, `offset ${offset}`)
  for (const size of [2 ** 40, (diskMib + 1) * mebibyte]) {
    await assert.rejects(
      call((done) => sftp.setstat('/far', { size } as never, done)),
      any,
      `setstat ${size}`,
    )
    await assert.rejects(
      call((done) => sftp.fsetstat(file, { size } as never, done)),
      any,
      `fsetstat ${size}`,
    )
  }
  // Many handles at once, each of which alone would fit.
  const handles = await Promise.all(Array.from({ length: 20 }, (_, index) => open(sftp, `/part${index}`, 'w')))
  await Promise.allSettled(
    handles.map(async (handle) => {
      for (let at = 0; at < 2 * mebibyte; at += block.length) await write(sftp, handle, block, at)
    }),
  )
  const appended = await open(sftp, '/part0', 'a')
  await assert.rejects(
    (async () => {
      for (let round = 0; round < 1000; round += 1) await write(sftp, appended, block, 0)
    })(),
  )
  let bytes = 0
  for (const name of await readdir(root)) bytes += (await lstat(join(root, name))).size
  assert.ok(bytes <= diskMib * mebibyte, `${bytes} bytes in ${diskMib} MiB`)
  assert.ok(bytes > (diskMib - 1) * mebibyte, `only ${bytes} bytes`)
})

test('no path, link or rename of an SFTP client leads out of the server’s folder', async () => {
  await using ada = await connectSftp(asAda())
  const { sftp } = ada
  const outside = join(world.folder, 'canary')
  await symlink(outside, join(root, 'out'))
  await symlink(join(outside, 'keep'), join(root, 'keep'))
  await symlink('..', join(root, 'up'))
  await mkdir(join(root, 'in'))
  await writeFile(join(root, 'in/file'), 'inside')
  for (const path of [
    '/out/keep',
    '/keep',
    '/up/spec.json',
    '/../spec.json',
    'in/../../spec.json',
    '/in/../../../etc/passwd',
  ]) {
    await assert.rejects(
      call((done) => sftp.readFile(path, done as never)),
      any,
      `read ${path}`,
    )
    await assert.rejects(open(sftp, path, 'r+'), any, `open ${path}`)
    await assert.rejects(open(sftp, path, 'w'), any, `write ${path}`)
    await assert.rejects(
      call((done) => sftp.setstat(path, { mode: 0o777 } as never, done)),
      any,
      `chmod ${path}`,
    )
    await assert.rejects(
      call((done) => sftp.rename('/in/file', `${path}.new`, done)).then(() => lstat(join(outside, 'x'))),
      any,
      `rename ${path}`,
    )
    await rename(join(root, 'keep.new'), join(root, 'in/file')).catch(() => undefined)
  }
  await assert.rejects(call((done) => sftp.mkdir('/out/made', done)))
  await assert.rejects(call((done) => sftp.unlink('/out/keep', done)))
  await assert.rejects(call((done) => sftp.ext_openssh_rename('/in/file', '/out/keep', done)))
  await assert.rejects(names(sftp, '/out'))
  await assert.rejects(call((done) => sftp.ext_openssh_hardlink('/in/file', '/hard', done)))
  await assert.rejects(call((done) => sftp.chown('/in/file', 1, 1, done)))
  await call((done) => sftp.chmod('/in/file', 0o6755, done))
  assert.equal((await lstat(join(root, 'in/file'))).mode & 0o7777, 0o755)
  assert.deepEqual(await readdir(outside), ['keep'])
  assert.equal(await readFile(join(outside, 'keep'), 'utf8'), 'outside')
  assert.equal(await call<string>((done) => sftp.realpath('../../..', done as never)), '/')
})

test('nothing outside is read or changed by SFTP while folders and links are swapped under its requests (CVE-2024-27102)', async () => {
  await using ada = await connectSftp(asAda())
  const { sftp } = ada
  const outside = join(world.folder, 'canary')
  await mkdir(join(root, 'real'))
  await writeFile(join(root, 'real/keep'), 'inside')
  await symlink(outside, join(root, 'fake'))
  await mkdir(join(root, 'real/spare'))
  let swapping = true
  const swaps = (async () => {
    while (swapping) {
      await rename(join(root, 'real'), join(root, 'here'))
      await rename(join(root, 'here'), join(root, 'real'))
      await rename(join(root, 'fake'), join(root, 'here'))
      await rename(join(root, 'here'), join(root, 'fake'))
    }
  })()
  for (let round = 0; round < 25; round += 1) {
    const results = await Promise.allSettled([
      call<Buffer>((done) => sftp.readFile('/here/keep', done as never)),
      call((done) => sftp.writeFile('/here/keep', 'inside', done as never)),
      call((done) => sftp.mkdir(`/here/made${round}`, done)),
      call((done) => sftp.setstat('/here/keep', { mode: 0o600 } as never, done)),
    ])
    const [read] = results
    if (read?.status === 'fulfilled') assert.notEqual(String(read.value), 'outside')
  }
  swapping = false
  await swaps
  assert.deepEqual(await readdir(outside), ['keep'])
  assert.equal(await readFile(join(outside, 'keep'), 'utf8'), 'outside')
  assert.equal((await lstat(join(outside, 'keep'))).mode & 0o777, 0o644)
})

test('malformed SSH and SFTP bytes end their own connection and nobody else’s (CVE-2026-52856)', async () => {
  await using ada = await connectSftp(asAda())
  for (const bytes of [
    randomBytes(4096),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), randomBytes(100_000)]),
    Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(64, 0xff)]),
    Buffer.alloc(100_000, 'S'),
  ]) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    const closed = once(socket, 'close')
    socket.end(bytes)
    await closed
  }
  const init = Buffer.of(0, 0, 0, 5, 1, 0, 0, 0, 3)
  const packet = (...bytes: number[]) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, Buffer.from(bytes)])
  }
  const hostile: [name: string, bytes: Buffer][] = [
    ['a length of nothing', Buffer.alloc(4)],
    ['a length beyond everything', Buffer.alloc(8, 0xff)],
    ['no greeting', packet(17, 0, 0, 0, 1)],
    ['a packet that ends in its id', Buffer.concat([init, packet(17, 0)])],
    ['a path longer than its packet', Buffer.concat([init, packet(17, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff)])],
    [
      'an impossible offset',
      Buffer.concat([init, packet(5, 0, 0, 0, 1, 0, 0, 0, 0, ...Array(8).fill(0xff), 0, 0, 0, 1)]),
    ],
    [
      'attributes without an end',
      Buffer.concat([init, packet(9, 0, 0, 0, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)]),
    ],
  ]
  for (const [name, bytes] of hostile) {
    const { client, ended } = await connectSsh(asAda())
    const channel = await rawSftp(client)
    channel.on('error', () => undefined)
    channel.resume()
    channel.write(bytes)
    await ended.catch(() => undefined)
    assert.ok(name)
  }
  // What is well-formed and wrong is answered, whatever it is.
  for (const handle of [Buffer.alloc(0), Buffer.alloc(4, 0xff), randomBytes(300)]) {
    await assert.rejects(call((done) => ada.sftp.close(handle, done)))
    await assert.rejects(write(ada.sftp, handle, Buffer.from('x'), 0))
    await assert.rejects(call((done) => ada.sftp.readdir(handle, done as never)))
  }
  for (const path of ['\0', 'a\0b', '/'.repeat(5000), 'x'.repeat(300), `${'d/'.repeat(2000)}x`, '\ud800'])
    await Promise.allSettled([
      call((done) => ada.sftp.mkdir(path, done)),
      call((done) => ada.sftp.stat(path, done as never)),
    ])
  await assert.rejects(
    (async () => {
      for (let opened = 0; opened < 1000; opened += 1) await call<Buffer>((done) => ada.sftp.opendir('/', done))
    })(),
    /128 files may be open/,
  )
  await using second = await connectSftp(asAda())
  assert.ok(await names(second.sftp))
})

test('an SFTP client that sends without end and takes no replies costs a few megabytes', async () => {
  await writeFile(join(root, 'file'), Buffer.alloc(mebibyte))
  const { client, ended } = await connectSsh(asAda())
  const channel = await rawSftp(client)
  channel.on('error', () => undefined)
  channel.pause()
  const field = (text: string) => Buffer.concat([Buffer.of(0, 0, 0, text.length), Buffer.from(text)])
  const framed = (body: Buffer) => Buffer.concat([Buffer.of(0, 0, body.length >> 8, body.length & 255), body])
  channel.write(Buffer.of(0, 0, 0, 5, 1, 0, 0, 0, 3))
  channel.write(framed(Buffer.concat([Buffer.of(3, 0, 0, 0, 1), field('/file'), Buffer.of(0, 0, 0, 1, 0, 0, 0, 0)])))
  const read = framed(
    Buffer.concat([Buffer.of(5, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1), Buffer.alloc(8), Buffer.of(0, 3, 0xfc, 0)]),
  )
  const reads = Buffer.concat(Array.from({ length: 500 }, () => read))
  const before = process.memoryUsage().external
  // Gigabytes of replies for half a megabyte of requests; what the window of the channel does not take is kept back by the client.
  let accepted = true
  for (let round = 0; round < 40 && accepted; round += 1) accepted = channel.write(reads)
  await using ada = await connectSftp(asAda())
  for (let round = 0; round < 20; round += 1) await names(ada.sftp)
  const grown = process.memoryUsage().external - before
  assert.ok(grown < 100 * mebibyte, `${grown} bytes`)
  client.destroy()
  await ended
})

test('failed SFTP logins are slowed down and limited, and what is right is refused with them (P#5115, P#2524)', async () => {
  const email = 'guessed@example.com'
  await member(email)
  await world.api.createSubuser({
    params: { serverId: world.server },
    body: { userEmail: email, permissions: ['sftp.connect'] },
  })
  const where = { port, username: `${email}.${world.server}` }
  const begun = performance.now()
  const guesses = await Promise.allSettled(
    Array.from({ length: 12 }, (_, index) => connectSsh({ ...where, password: `guess ${index}` })),
  )
  assert.ok(guesses.every(({ status }) => status === 'rejected'))
  assert.ok(performance.now() - begun >= 1000, 'a wrong password costs a second')
  await assert.rejects(connectSsh({ ...where, password: passwordOf(email) }))
  world.pass(16 * 60_000)
  await using _in = await connectSftp({ ...where, password: passwordOf(email) })
  // One connection guesses a few times only.
  const client = new ssh2.Client()
  client.on('error', () => undefined)
  let tries = 0
  const ended = once(client, 'close')
  client.connect({
    host: '127.0.0.1',
    ...where,
    authHandler: (_left, _partial, next) => {
      tries += 1
      next({ type: 'password', username: where.username, password: `guess ${tries}` })
    },
  })
  await ended
  assert.ok(tries <= 8, `${tries} tries`)
})

test('an open SFTP session loses what its person loses, at the next request (CVE-2025-68954)', async () => {
  const email = 'max@example.com'
  await member(email)
  const params = { serverId: world.server }
  const { userId: id } = await world.api.createSubuser({
    params,
    body: { userEmail: email, permissions: ['sftp.connect', 'files.read', 'files.write', 'files.delete'] },
  })
  await using max = await connectSftp({ port, username: `${email}.${world.server}`, password: passwordOf(email) })
  const { sftp } = max
  await call((done) => sftp.writeFile('/mine', 'text', done as never))
  const file = await open(sftp, '/mine', 'r+')
  const reading = await open(sftp, '/mine', 'r')
  const give = (...permissions: ('sftp.connect' | 'files.read' | 'files.write' | 'files.delete')[]) =>
    world.api.updateSubuser({ params: { ...params, subuser: id }, body: { permissions } })
  const refusedSoon = (act: () => Promise<unknown>) => eventuallyRejects(act, /files\.|Permission denied/)

  await give('sftp.connect', 'files.read', 'files.write')
  await refusedSoon(() =>
    call((done) => sftp.unlink('/not-there', done)).catch((error) => {
      if (error.code === 2) return
      throw error
    }),
  )
  await give('sftp.connect', 'files.read')
  await refusedSoon(() => write(sftp, file, Buffer.from('x'), 0))
  await assert.rejects(call((done) => sftp.mkdir('/new', done)))
  await assert.rejects(call((done) => sftp.ext_openssh_rename('/mine', '/other', done)))
  await assert.rejects(call((done) => sftp.chmod('/mine', 0o777, done)))
  await give('sftp.connect', 'files.write')
  await refusedSoon(() => call((done) => sftp.read(reading, Buffer.alloc(4), 0, 4, 0, done as never)))
  await assert.rejects(names(sftp))
  await assert.rejects(call((done) => sftp.stat('/mine', done as never)))
  await call((done) => sftp.mkdir('/written', done))
  await give('files.read', 'files.write', 'files.delete')
  await max.ended
  await assert.rejects(connectSsh({ port, username: `${email}.${world.server}`, password: passwordOf(email) }))
})

test('an SFTP session ends with what it came by: password, SSH key, API key, membership, server, workspace (GHSA-hr7j-63v7-vj7g)', async () => {
  const email = 'eve@example.com'
  const eve = await member(email)
  const server = await world.newServer()
  const params = { serverId: server }
  const { userId: id } = await world.api.createSubuser({
    params,
    body: { userEmail: email, permissions: ['sftp.connect', 'files.read'] },
  })
  const username = `${email}.${server}`
  const asEve = anonymous(eve.key)
  const own = ssh2.utils.generateKeyPairSync('ed25519')
  const forKey = ssh2.utils.generateKeyPairSync('ed25519')
  const added = await asBrowser(world.baseUrl, eve.cookie, 'POST', '/account/ssh-keys', {
    publicKey: own.public,
    password: passwordOf(email),
  })
  await asEve.createSshKey({ body: { publicKey: forKey.public } })
  const by = {
    password: await connectSftp({ port, username, password: passwordOf(email) }),
    ownKey: await connectSftp({ port, username, privateKey: own.private }),
    keyOfKey: await connectSftp({ port, username, privateKey: forKey.private }),
    token: await connectSftp({ port, username, password: eve.key }),
  }
  assert.equal(
    (
      await asBrowser(world.baseUrl, eve.cookie, 'PUT', '/account/password', {
        current: passwordOf(email),
        password: 'another password',
      })
    ).status,
    200,
  )
  await by.password.ended
  assert.deepEqual(await names(by.ownKey.sftp), [])
  await asEve.deleteSshKey({ params: { sshKey: added.body.id } })
  await by.ownKey.ended
  assert.deepEqual(await names(by.token.sftp), [])
  const [token] = (await asEve.tokens()).tokens
  await asEve.revokeToken({ params: { id: token?.id ?? '' } })
  await Promise.all([by.token.ended, by.keyOfKey.ended])
  await assert.rejects(connectSsh({ port, username, privateKey: forKey.private }))

  const again = () => connectSftp({ port, username, password: 'another password' })
  const suspended = await again()
  await world.api.updateSuspension({ params, body: { suspended: true } })
  await suspended.ended
  await assert.rejects(again())
  await world.api.updateSuspension({ params, body: { suspended: false } })
  const removed = await again()
  await world.api.deleteSubuser({ params: { ...params, subuser: id } })
  await removed.ended
  await assert.rejects(again())
  const deleted = await connectSftp(asAda(server))
  await world.api.deleteServer({ params })
  await deleted.ended
  await assert.rejects(connectSsh(asAda(server)))
})

test('a hard link that a game made to its own file changes nothing but that file', async () => {
  await writeFile(join(root, 'one'), 'text')
  await link(join(root, 'one'), join(root, 'two'))
  await using ada = await connectSftp(asAda())
  await call((done) => ada.sftp.unlink('/two', done))
  assert.equal(await readFile(join(root, 'one'), 'utf8'), 'text')
})

/** Any refusal will do: the message says which request it was. */
const any = () => true

/** News of a change travels to the node: until it is there the act may still succeed. */
async function eventuallyRejects(act: () => Promise<unknown>, words: RegExp): Promise<void> {
  const begun = performance.now()
  for (;;) {
    try {
      await act()
    } catch (error) {
      assert.match(String(error), words)
      return
    }
    if (performance.now() - begun > 60_000) throw new Error('never refused')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
