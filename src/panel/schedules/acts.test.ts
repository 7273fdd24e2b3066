import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerAccess } from '../access/index.ts'
import { authorityOf } from './acts.ts'

const held = (suspendedAt: number | null): ServerAccess => ({
  row: {
    id: '1a7ce997',
    workspace_id: 'wsp_1',
    owner_id: 'usr_1',
    node_id: 'node_1',
    name: 'Lobby',
    template: 'plain',
    template_hash: '',
    memory: 1,
    disk: 1,
    cpu: 1,
    variables: '{}',
    restart_on_crash: 0,
    restart_on_hang: 0,
    wake_on_connect: 0,
    idle_minutes: 15,
    runtime: 'sandbox',
    image: null,
    start_when_installed: 0,
    allocation_limit: 1,
    placement: '{}',
    transfer_id: null,
    suspended_at: suspendedAt,
    deleted_at: null,
    revision: 1,
    state: null,
    created_at: 1,
  },
  isOwner: false,
  permissions: new Set(['control.start']),
})
const editor = { userId: 'usr_2', email: 'bob@example.com' }
const start = { kind: 'power', action: 'start', delaySeconds: 0, continueOnFailure: false } as const
const ask = (access: ServerAccess | null) =>
  authorityOf({ access: { serverAccess: async () => access } }, editor, '1a7ce997', start)

test('a schedule does nothing on a suspended server, whoever saved it', async () => {
  await assert.rejects(ask(held(1)), { code: 'forbidden', message: /Lobby is suspended: its schedules do nothing/ })
  assert.equal((await ask(held(null))).row.name, 'Lobby')
})
test('nor for somebody who has lost the server', async () => {
  await assert.rejects(ask(null), { code: 'forbidden', message: /bob@example\.com can no longer use this server/ })
})
