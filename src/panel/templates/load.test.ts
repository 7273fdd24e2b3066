import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadTemplates } from './load.ts'

const minimal = `
id: one
name: One
summary: A template
protocols: [tcp]
resources: { memory: 64, disk: 64, cpu: 1 }
start: { command: [run] }
stop: { by: signal, signal: SIGTERM }
`

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pharos-templates-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

test('every template that we ship is valid', async () => {
  const templates = await loadTemplates(join(import.meta.dirname, '../../../templates'))
  assert.deepEqual([...templates.keys()], ['command', 'minecraft', 'node-app', 'openttd'])
  const minecraft = templates.get('minecraft')
  assert.match(minecraft?.install.npm?.packageLock ?? '', /flying-squid/)
  assert.equal(minecraft?.install.npm?.files[0]?.name, 'launch.cjs')
  assert.equal(minecraft?.category, 'game')
  assert.equal(templates.get('command')?.category, 'tool')
  assert.match(templates.get('node-app')?.files[0]?.content ?? '', /SERVER_PORT/)
})

test('names the file and the key that it does not know', async (t) => {
  const folder = await folderWith(t, { 'one/template.yaml': `${minimal}stopTimeout: 3\n` })
  await assert.rejects(loadTemplates(folder), /one\/template\.yaml[\s\S]*stopTimeout/)
})

test('refuses a category that nobody would find', async (t) => {
  const folder = await folderWith(t, { 'one/template.yaml': `${minimal}category: fun\n` })
  await assert.rejects(loadTemplates(folder), /one\/template\.yaml[\s\S]*category/)
})

test('refuses text that is not YAML, a folder of another name, and packages without a lock file', async (t) => {
  await assert.rejects(loadTemplates(await folderWith(t, { 'one/template.yaml': 'a: [' })), /not YAML/)
  await assert.rejects(loadTemplates(await folderWith(t, { 'two/template.yaml': minimal })), /folder is called two/)
  await assert.rejects(
    loadTemplates(await folderWith(t, { 'one/template.yaml': minimal, 'one/npm/package.json': '{}' })),
    /package-lock/,
  )
})

test('a file that a template brings along must lie beside it', async (t) => {
  const folder = await folderWith(t, {
    'one/template.yaml': `${minimal}files: [{ path: a, from: ../../secret }]\n`,
    secret: 'x',
  })
  await assert.rejects(loadTemplates(folder), /files\.from/)
})
