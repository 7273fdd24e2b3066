import { apiPrefix, publicOperations } from 'pharos:operations'
import { type Client, createClient, type Send, sendByFetch } from '../../src/client/index.ts'
import type { publicOperations as declared } from '../../src/contract/api/index.ts'
import { chosenWorkspace } from '../session/chosen-workspace.ts'

/** Which workspace a session means; the same header that `src/panel/access` reads. */
const workspaceHeader = 'x-pharos-workspace'

/** The workspace that is looked at goes with every request. */
export const send: Send = (request) => {
  const workspace = chosenWorkspace()
  return sendByFetch(
    workspace === null ? request : { ...request, headers: { ...request.headers, [workspaceHeader]: workspace } },
  )
}

/** The whole public API, as anybody has it. The session's cookie says who asks. */
export const api: Client<typeof declared> = createClient(
  // The client calls by method, path and family; what is left out are the schemas that the panel checks by.
  publicOperations as unknown as typeof declared,
  { baseUrl: apiPrefix, send },
)
