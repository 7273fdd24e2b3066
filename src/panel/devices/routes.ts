import type { deviceOperations } from '../../contract/api/devices.ts'
import type { discoveryOperations } from '../../contract/edge-contract.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import type { Database } from '../db/index.ts'
import type { Devices } from './devices.ts'
import { membershipsOf } from './store.ts'

/** Where the page is on which codes are typed in. */
const page = '/device'

export const deviceRoutes = (
  devices: Devices,
  publicUrl: () => string,
): Handlers<typeof deviceOperations, PanelContexts> => ({
  async beginDeviceSignIn({ body, request }) {
    const { deviceCode, userCode, expiresInMs, intervalMs } = await devices.begin({
      client: body?.client ?? null,
      address: request.address,
    })
    return {
      device_code: deviceCode.reveal(),
      user_code: userCode,
      verification_uri: publicUrl() + page,
      expires_in: expiresInMs / 1000,
      interval: intervalMs / 1000,
    }
  },
  pollDeviceSignIn: ({ body, request }) => devices.poll(body.device_code, request),
  findDeviceSignIn: ({ caller, body, request }) => devices.find(caller, body.userCode, request.address),
  async approveDeviceSignIn({ caller, workspace, body, request }) {
    const expiresAt = body.expiresAt ? Date.parse(body.expiresAt) : null
    const { userCode } = body
    return { id: await devices.approve(caller, workspace, { userCode, expiresAt }, request.address), approved: true }
  },
  async denyDeviceSignIn({ caller, body, request }) {
    return { id: await devices.deny(caller, body.userCode, request.address), denied: true }
  },
})

/** What command lines of the edge contract ask beside signing in. */
export const discoveryRoutes = (options: {
  database: Database
  publicUrl: () => string
  /** What every path of the API is below. */
  apiPrefix: string
}): Handlers<typeof discoveryOperations, PanelContexts> => ({
  discoverSignIn() {
    const api = options.publicUrl() + options.apiPrefix
    return {
      device_code_url: `${api}/device/code`,
      token_url: `${api}/device/token`,
      verification_uri: options.publicUrl() + page,
    }
  },
  async scopes({ caller }) {
    const memberships = await membershipsOf(options.database.kysely, caller.userId)
    const { via } = caller
    const reached = memberships.filter(({ workspaceId }) => via.kind === 'session' || via.workspaceId === workspaceId)
    return { user: caller.email, scopes: reached.map(({ slug, role }) => ({ slug, role })) }
  },
})
