import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Browser, BrowserContextOptions, Download, Page } from 'playwright-core'
import { patienceMs } from '../patience.ts'
import { assertAccessible, assertFits, launchBrowser, noBrowser, openPage, screens, unavailable } from './browser.ts'
import { becomeOwner } from './owner.ts'
import { type Product, startProduct } from './product.ts'

type Person = NonNullable<BrowserContextOptions['storageState']>

describe('the files of a server', { skip: noBrowser, timeout: 15 * patienceMs }, () => {
  let product: Product
  let browser: Browser
  let owner: Person
  let api: ReturnType<Product['client']>
  let serverId: string

  before(async () => {
    product = await startProduct()
    browser = await launchBrowser()
    ;({ session: owner, api } = await becomeOwner(product, browser))
    const { id } = await api.createServer({ body: { name: 'Lobby', template: 'command', start: false } })
    serverId = id.slice(id.indexOf('/') + 1)
    await installed()
  })
  after(async () => {
    await browser?.close()
    await product?.[Symbol.asyncDispose]()
  })

  const params = () => ({ params: { serverId } })
  const write = (file: string, content: string) => api.writeFile({ ...params(), body: { file, content } })
  const read = async (file: string): Promise<string> =>
    (await api.fileContents({ ...params(), query: { file } })).content
  const names = async (directory = '/'): Promise<string[]> =>
    (await api.listFiles({ ...params(), query: { directory } })).files.map(({ name }) => name)
  const bytes = async (file: string): Promise<Buffer> => {
    const { downloadUrl } = await api.downloadFile({ ...params(), query: { file } })
    return Buffer.from(await (await fetch(downloadUrl)).arrayBuffer())
  }
  const put = async (query: { file?: string }, content: Uint8Array<ArrayBuffer> | FormData, directory = '/') => {
    const { jwt, uploadUrl } = await api.startUpload({ ...params(), query: { directory } })
    const reply = await fetch(`${product.origin}${uploadUrl}?${new URLSearchParams(query)}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${jwt}` },
      body: content,
    })
    assert.equal(reply.status, 200)
  }
  /** A page of the owner's, at the files. */
  const open = async (
    t: TestContext,
    search: Record<string, string> = {},
    options: Parameters<typeof openPage>[2] = {},
  ): Promise<Page> => {
    const page = await openPage(t, browser, { storageState: owner, ...options })
    await page.goto(`${product.origin}/servers/${serverId}/files?${new URLSearchParams(search)}`)
    return page
  }
  const editor = (page: Page) => page.getByRole('textbox', { name: /^Content of / })

  test('is made, edited and saved in the browser', async (t) => {
    const page = await open(t)
    await page.getByRole('button', { name: 'New' }).click()
    await page.getByRole('menuitem', { name: 'New file' }).click()
    await page.getByLabel('Name').fill('eula.txt')
    await page.keyboard.press('Enter')
    await editor(page).fill('eula=true\n')
    await page.getByText('Not saved').waitFor()
    await page.keyboard.press('Control+s')
    await page.getByText('Not saved').waitFor({ state: 'hidden' })
    assert.equal(await read('/eula.txt'), 'eula=true\n')
  })

  test('is not made where there is one of that name', async (t) => {
    await write('/taken.txt', 'mine')
    const page = await open(t, {}, { tolerated: /409/ })
    await page.getByRole('button', { name: 'New' }).click()
    await page.getByRole('menuitem', { name: 'New file' }).click()
    await page.getByLabel('Name').fill('taken.txt')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByText(/"\/taken.txt" exists already/).waitFor()
    assert.equal(await read('/taken.txt'), 'mine')
  })

  for (const [what, content] of [
    ['the line ends of Windows', 'a=1\r\nb=2\r\n'],
    ['mixed line ends', 'a=1\r\nb=2\nc\rd'],
    ['a byte order mark and no last line end', '\ufeffa=1'],
  ] as const)
    test(`keeps ${what} when something else is changed`, async (t) => {
      await write('/ends.properties', content)
      const page = await open(t, { file: 'ends.properties' })
      await editor(page).press('Control+End')
      await page.keyboard.type('#')
      await page.getByRole('button', { name: 'Save', exact: true }).click()
      await page.getByText('Not saved').waitFor({ state: 'hidden' })
      assert.equal(await read('/ends.properties'), `${content}#`)
    })

  test('is not written over what another browser has saved meanwhile', async (t) => {
    await write('/shared.yml', 'motd: first\n')
    const [mine, theirs] = [
      await open(t, { file: 'shared.yml' }, { tolerated: /409/ }),
      await open(t, { file: 'shared.yml' }, { elsewhere: true }),
    ]
    await editor(mine).fill('motd: mine\n')
    await editor(theirs).fill('motd: theirs\n')
    await theirs.keyboard.press('Control+s')
    await theirs.getByText('Not saved').waitFor({ state: 'hidden' })
    await editor(mine).press('Control+s')
    await mine.getByText('Somebody else has changed this file meanwhile').waitFor()
    assert.equal(await read('/shared.yml'), 'motd: theirs\n')
    await assertAccessible(mine)
    await mine.getByRole('button', { name: 'Show their version' }).click()
    await mine.getByRole('dialog').getByText('motd: theirs').waitFor()
    await mine.keyboard.press('Escape')
    await mine.getByRole('button', { name: 'Keep mine, replace theirs' }).click()
    await editor(mine).press('Control+s')
    await mine.getByText('Not saved').waitFor({ state: 'hidden' })
    assert.equal(await read('/shared.yml'), 'motd: mine\n')
  })

  test('is not left with unsaved changes unless somebody means it', async (t) => {
    await write('/draft.txt', 'old')
    const page = await open(t, { file: 'draft.txt' })
    await editor(page).fill('new')
    await page.getByRole('link', { name: 'Back to the folder' }).click()
    const question = page.getByRole('dialog', { name: 'Leave without saving?' })
    await question.getByRole('button', { name: 'Cancel' }).click()
    assert.equal(await editor(page).textContent(), 'new')
    await page.getByRole('link', { name: 'Back to the folder' }).click()
    await question.getByRole('button', { name: 'Leave' }).click()
    await page.getByRole('link', { name: 'draft.txt' }).waitFor()
    assert.equal(await read('/draft.txt'), 'old')
  })

  test('arrives byte for byte when it is chosen, in one piece or several, and is downloaded so', async (t) => {
    const small = randomBytes(300_000)
    const large = randomBytes(20 * 1024 * 1024)
    const page = await open(t)
    await page.getByRole('button', { name: 'Upload' }).click()
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('menuitem', { name: 'Upload files' }).click(),
    ])
    await chooser.setFiles([
      await chosen(t, 'small.bin', small),
      await chosen(t, 'large.bin', large),
      await chosen(t, 'empty.bin', Buffer.alloc(0)),
    ])
    await page.getByText('Uploads are over').waitFor()
    assert.ok((await bytes('/small.bin')).equals(small))
    assert.ok((await bytes('/large.bin')).equals(large))
    assert.equal((await bytes('/empty.bin')).length, 0)
    await page.getByRole('button', { name: 'Close the list of uploads' }).click()
    await page.getByRole('button', { name: 'Actions for large.bin' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'Download' }).click(),
    ])
    assert.equal(download.suggestedFilename(), 'large.bin')
    assert.ok((await downloaded(download)).equals(large))
  })

  test('goes on after a connection that broke in the middle of an upload', async (t) => {
    const content = randomBytes(20 * 1024 * 1024)
    const page = await open(t)
    await page.getByRole('button', { name: 'Upload' }).waitFor()
    // As the browser tells of it: the second part is lost on its way.
    const parts = await page.evaluateHandle(() => {
      const { XMLHttpRequest: requests } = globalThis as unknown as { XMLHttpRequest: { prototype: Requests } }
      const { send } = requests.prototype
      const sent: number[] = []
      requests.prototype.send = function (part) {
        if (part.size > 0) sent.push(part.size)
        if (sent.length === 2 && part.size > 0) queueMicrotask(() => this.onerror())
        else send.call(this, part)
      }
      return sent
    })
    await choose(t, page, 'broken.bin', content)
    await page.getByText('Uploads are over').waitFor()
    assert.ok((await bytes('/broken.bin')).equals(content))
    assert.equal((await parts.jsonValue()).length, 4, 'what has arrived is not sent again')
  })

  test('arrives byte for byte when it is dropped on the list', async (t) => {
    const page = await open(t)
    await page.getByRole('button', { name: 'Upload' }).waitFor()
    const dropped = await page.evaluateHandle(() => {
      const { DataTransfer: Transfer } = globalThis as unknown as { DataTransfer: new () => Dropped }
      const transfer = new Transfer()
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      transfer.items.add(new File([all], 'dröp „x“.dat'))
      return transfer
    })
    const list = page.getByRole('navigation', { name: 'Folder' })
    await list.dispatchEvent('dragenter', { dataTransfer: dropped })
    await page.getByText('Drop to upload into /').waitFor()
    await list.dispatchEvent('drop', { dataTransfer: dropped })
    await page.getByText('Uploads are over').waitFor()
    assert.deepEqual(await bytes('/dröp „x“.dat'), Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)))
  })

  test('is replaced by an upload only when somebody says so', async (t) => {
    await write('/kept.txt', 'kept')
    const page = await open(t)
    await page.getByRole('link', { name: 'kept.txt' }).waitFor()
    await choose(t, page, 'kept.txt', Buffer.from('replaced'))
    await page.getByText('There is a file of this name already').waitFor()
    assert.equal(await read('/kept.txt'), 'kept')
    await assertAccessible(page)
    await page.getByRole('button', { name: 'Replace', exact: true }).click()
    await page.getByText('Done').or(page.getByLabel('Done')).first().waitFor()
    assert.equal(await read('/kept.txt'), 'replaced')
  })

  test('are put into an archive and come out of it again', async (t) => {
    await write('/pack/a.txt', 'a')
    await write('/pack/b.txt', 'b')
    await api.createFolder({ ...params(), body: { path: '/pack', name: 'out' } })
    const page = await open(t, { path: '/pack' })
    await page.getByRole('checkbox', { name: 'Select a.txt' }).click()
    await page.getByRole('checkbox', { name: 'Select b.txt' }).click({ modifiers: ['Shift'] })
    await page.getByRole('button', { name: 'Put into an archive' }).click()
    await page.getByLabel('Name of the archive').fill('both.tar.gz')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Actions for both.tar.gz' }).click()
    await page.getByRole('menuitem', { name: 'Unpack' }).click()
    await page.getByLabel('Where to').fill('/pack/out')
    await page.getByRole('dialog').getByRole('button', { name: 'Unpack' }).click()
    await page.getByText(/Unpacked: 2 files/).waitFor()
    assert.deepEqual(await names('/pack/out'), ['a.txt', 'b.txt'])
    assert.equal(await read('/pack/out/b.txt'), 'b')
  })

  test('are moved, copied and given permissions', async (t) => {
    await write('/from/one.txt', '1')
    await write('/to/there.txt', '2')
    const page = await open(t, { path: '/from' })
    const act = async (what: string): Promise<void> => {
      await page.getByRole('button', { name: 'Actions for one.txt' }).click()
      await page.getByRole('menuitem', { name: what }).click()
    }
    await act('Change permissions')
    await page.getByLabel('As a number').fill('600')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('0600').waitFor()
    await act('Copy')
    await page.getByRole('button', { name: 'Copy here' }).click()
    await page.getByRole('link', { name: 'one copy.txt' }).waitFor()
    await act('Move')
    const picker = page.getByRole('dialog')
    await picker.getByRole('button', { name: 'Up to the folder above' }).click()
    await picker.getByRole('button', { name: 'to', exact: true }).click()
    await picker.getByRole('button', { name: 'Move here' }).click()
    await picker.waitFor({ state: 'hidden' })
    assert.deepEqual(await names('/to'), ['one.txt', 'there.txt'])
    assert.deepEqual(await names('/from'), ['one copy.txt'])
  })

  test('with hostile names are shown as what they are', async (t) => {
    const folder = 'hostile'
    const hostile = ['photo\u202egpj.exe', 'two\nlines.txt', '<img src=x onerror=alert(1)>.txt', 'tag\u{e0041}.txt']
    for (const name of hostile) await write(`/${folder}/${name}`, 'harmless')
    const page = await open(t, { path: `/${folder}` })
    page.on('dialog', () => assert.fail('a name became a script'))
    for (const shown of [
      'photo\\u202egpj.exe',
      'two\\nlines.txt',
      '<img src=x onerror=alert(1)>.txt',
      'tag\\u{e0041}.txt',
    ])
      await page.getByRole('link', { name: shown }).waitFor()
    assert.equal(await page.locator('main img').count(), 0)
    await assertAccessible(page)
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await page.getByRole('link', { name: 'two\\nlines.txt' }).click()
    await editor(page).waitFor()
    await assertFits(page)
    assert.equal(await editor(page).getAttribute('aria-label'), 'Content of two\\nlines.txt')
  })

  test('are renamed, selected, opened and deleted with keys alone', async (t) => {
    await write('/keys/1.txt', '1')
    await write('/keys/2.txt', '2')
    await write('/keys/sub/3.txt', '3')
    const page = await open(t, { path: '/keys' })
    const row = (name: string) => page.getByRole('link', { name })
    await row('sub').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('F2')
    await page.getByLabel('New name').fill('renamed.txt')
    await page.keyboard.press('Enter')
    await row('renamed.txt').waitFor()
    await row('2.txt').focus()
    await page.keyboard.press('Space')
    await page.keyboard.press('Shift+ArrowDown')
    await page.getByRole('status').getByText('2 selected').waitFor()
    await page.keyboard.press('Delete')
    const question = page.getByRole('dialog', { name: 'Delete 2 entries?' })
    await question.getByText('renamed.txt').waitFor()
    await question.getByRole('button', { name: 'Delete' }).press('Enter')
    await question.waitFor({ state: 'hidden' })
    assert.deepEqual(await names('/keys'), ['sub'])
    await row('sub').focus()
    await page.keyboard.press('Enter')
    await row('3.txt').waitFor()
    await row('3.txt').focus()
    await page.keyboard.press('Backspace')
    await row('sub').waitFor()
    await row('sub').focus()
    await page.keyboard.press('Enter')
    await row('3.txt').press('Enter')
    // Tab belongs to the text; Escape gives it back.
    await editor(page).press('Escape')
    await page.keyboard.press('Tab')
    assert.equal(await editor(page).evaluate((field) => field === field.ownerDocument.activeElement), false)
  })

  test('are found by a part of their name in the folders below', async (t) => {
    await write('/search/deep/deeper/Needle.cfg', 'x')
    const page = await open(t, { path: '/search' })
    await page.getByRole('searchbox', { name: 'Filter this folder' }).fill('needle')
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: '/search/deep/deeper/Needle.cfg' }).click()
    await editor(page).waitFor()
    await page.goBack()
    await page.getByRole('searchbox', { name: 'Filter this folder' }).fill('no such name')
    await page.keyboard.press('Enter')
    await page.getByText('has “no such name” in its name').waitFor()
  })

  test('that are no text are shown as what they are, or offered for download', async (t) => {
    await put({ file: 'pixel.png' }, pixel)
    await put({ file: 'old.log.gz' }, new Uint8Array(gzipSync('[Server] \u001b[31mfirst\nsecond\n')))
    await put({ file: 'region.mca' }, new Uint8Array(randomBytes(1000)))
    await put({ file: 'disguised.txt' }, Uint8Array.of(0xff, 0xfe, 0, 1))
    const page = await open(t, { file: 'pixel.png' }, { tolerated: /409/ })
    await page.getByText('1 × 1').waitFor()
    await assertAccessible(page)
    const show = (file: string) => page.goto(`${product.origin}/servers/${serverId}/files?file=${file}`)
    await show('old.log.gz')
    await page.getByText('[Server] first').waitFor()
    await assertAccessible(page)
    for (const file of ['region.mca', 'disguised.txt']) {
      await show(file)
      await page.getByRole('heading', { name: 'This file cannot be shown here' }).waitFor()
    }
    await assertAccessible(page)
  })

  test('are fetched from public addresses only, and it says why not', async (t) => {
    const page = await open(t, {}, { tolerated: /40\d|Failed to load/ })
    await page.getByRole('button', { name: 'Upload' }).click()
    await page.getByRole('menuitem', { name: 'Fetch from a URL' }).click()
    await page.getByLabel('URL', { exact: true }).fill(`${product.origin}/secret.txt`)
    await page.getByRole('button', { name: 'Fetch' }).click()
    await page.getByText(/only public addresses are fetched/).waitFor()
    assert.ok(!(await names()).includes('secret.txt'))
  })

  test('are listed by the hundreds, sorted and filtered', async (t) => {
    const form = new FormData()
    for (let each = 0; each < 200; each += 1) form.append('files', new Blob(['x'.repeat(each)]), `${each}.txt`)
    await put({}, form, '/many')
    const page = await open(t, { path: '/many' })
    await page.getByText('200 entries').waitFor()
    const first = page.getByRole('row').nth(1)
    await first.getByRole('link', { name: '0.txt' }).waitFor()
    await page.getByRole('button', { name: 'Size' }).click()
    await first.getByRole('link', { name: '199.txt' }).waitFor()
    await page.getByRole('link', { name: '199.txt' }).focus()
    await page.keyboard.press('Control+a')
    await page.getByText('200 selected').waitFor()
    await page.getByRole('searchbox', { name: 'Filter this folder' }).fill('11')
    await page.getByText(/^\d+ of 200 entries$/).waitFor()
  })

  test('fit a small screen and are accessible, as a list and in the editor', async (t) => {
    await write('/config/app.yml', 'a: 1\nb: [x, "y"] # why\n')
    await write('/config/data.json', '{"a": [1, true, null, "x"]}')
    const page = await open(t, { path: '/config' })
    await page.getByRole('checkbox', { name: 'Select app.yml' }).click()
    await page.setViewportSize(screens.small)
    await assertFits(page)
    await assertAccessible(page)
    await page.getByRole('link', { name: 'app.yml' }).click()
    await editor(page).press('Control+f')
    await page.getByRole('textbox', { name: 'Find' }).waitFor()
    await assertFits(page)
    await assertAccessible(page)
    await page.setViewportSize(screens.wide)
    await page.emulateMedia({ colorScheme: 'light' })
    await assertAccessible(page)
  })

  test('are only looked at by who may only read, and the buttons say why', async (t) => {
    await write('/readme.txt', 'read me')
    const page = await invited(t, 'reader@example.com', ['files.read'])
    await page.goto(`${product.origin}/servers/${serverId}/files`)
    for (const name of ['New', 'Upload']) {
      const button = page.getByRole('button', { name, exact: true })
      await unavailable(button)
      await button.focus()
      await page.getByRole('tooltip', { name: /You may not change files/ }).waitFor()
    }
    await page.getByRole('button', { name: 'Actions for readme.txt' }).click()
    for (const name of [/^Rename/, /^Move/, /^Delete/, /^Put into an archive/])
      await unavailable(page.getByRole('menuitem', { name }))
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'readme.txt' }).press('Delete')
    await page.getByText('You may not delete files of this server').waitFor()
    await assertAccessible(page)
    await page.getByRole('link', { name: 'readme.txt' }).click()
    await editor(page).press('x')
    assert.equal(await editor(page).textContent(), 'read me')
    await unavailable(page.getByRole('button', { name: 'Save', exact: true }))
    await assertAccessible(page)
  })

  test('are not there at all for who may not read them', async (t) => {
    const page = await invited(t, 'player@example.com', ['console.read'])
    await page.goto(`${product.origin}/servers/${serverId}`)
    await page.getByRole('link', { name: 'Console' }).waitFor()
    assert.equal(await page.getByRole('link', { name: 'Files' }).count(), 0)
    await page.goto(`${product.origin}/servers/${serverId}/files`)
    await page.getByRole('alert').first().waitFor()
  })

  /** A page of somebody who was given these permissions on the server. */
  async function invited(t: TestContext, userEmail: string, permissions: ('files.read' | 'console.read')[]) {
    const { invitationUrl } = await api.createSubuser({ ...params(), body: { userEmail, permissions } })
    const page = await openPage(t, browser, { tolerated: /403|404/ })
    await page.goto(invitationUrl ?? assert.fail('there is no link'))
    await page.getByLabel('Password').fill('correct horse battery')
    await page.getByRole('button', { name: 'Join' }).click()
    await page.getByRole('link', { name: 'Lobby' }).waitFor()
    return page
  }

  async function installed(): Promise<void> {
    for (const end = Date.now() + patienceMs; Date.now() < end; ) {
      if ((await api.server(params())).status === 'offline') return
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
    assert.fail('the server is not installed')
  }
})

interface Dropped {
  items: { add(file: File): void }
}

interface Requests {
  send(this: Requests, part: Blob): void
  onerror(): void
}

async function choose(t: TestContext, page: Page, name: string, content: Buffer): Promise<void> {
  await page.getByRole('button', { name: 'Upload' }).click()
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    page.getByRole('menuitem', { name: 'Upload files' }).click(),
  ])
  await chooser.setFiles(await chosen(t, name, content))
}

/** A file on the disk of whoever chooses it, until the test ends. */
async function chosen(t: TestContext, name: string, content: Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-chosen-'))
  t.after(() => rm(folder, { recursive: true }))
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const downloaded = async (download: Download): Promise<Buffer> => readFile(await download.path())

/** A picture of one pixel. */
const pixel = new Uint8Array(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
    'base64',
  ),
)
