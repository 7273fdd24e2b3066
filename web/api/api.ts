import { apiPrefix, publicOperations } from 'pharos:operations'
import { type Client, createClient, type Send, sendByFetch } from '../../src/client/index.ts'
import type { publicOperations as declared } from '../../src/contract/api/index.ts'
import { chosenWorkspace } from '../session/chosen-workspace.ts'
import { createRequestRecord } from './requests.ts'

/** Which workspace a session means; the same header that `src/panel/access` reads. */
const workspaceHeader = 'x-pharos-workspace'

/** What each page asked for, to be shown to whoever wants to ask for it without a page. */
export const requests = createRequestRecord()

/** The workspace that is looked at goes with every request. */
export const send: Send = (request) => {
  requests.add(location.pathname, request)
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
