import { type QueryClient, queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import type { z } from 'zod'
import { ApiError } from '../../src/client/index.ts'
import type { Account } from '../../src/contract/api/accounts.ts'
import { rolePermissions, type WorkspacePermission } from '../../src/contract/permissions.ts'
import { api } from '../api/api.ts'
import { chosenWorkspace } from './chosen-workspace.ts'

export type Person = z.output<typeof Account>
export type Membership = Person['workspaces'][number]

export const accountQuery = queryOptions({
  queryKey: ['account'],
  queryFn: ({ signal }) => api.account({}, { signal }),
  staleTime: 60_000,
})

const key = 'pharos.signed-in'

/** Somebody has signed in, with this browser. */
export function begin(queries: QueryClient, person: Person): void {
  localStorage.setItem(key, 'yes')
  queries.clear()
  queries.setQueryData(accountQuery.queryKey, person)
}

/** Nobody is signed in any more. */
export function end(queries: QueryClient): void {
  localStorage.removeItem(key)
  queries.clear()
}

/** Who is signed in; null for nobody. Scripts cannot see the session itself: a browser that never signed in does not ask. */
export async function signedIn(queries: QueryClient): Promise<Person | null> {
  if (localStorage.getItem(key) === null) return null
  try {
    return await queries.ensureQueryData(accountQuery)
  } catch (error) {
    if (error instanceof ApiError && error.code === 'unauthorized') {
      end(queries)
      return null
    }
    throw error
  }
}

export const useAccount = (): Person => useSuspenseQuery(accountQuery).data

/** The workspace that is looked at: the chosen one, or the first; null for somebody who belongs to none. */
export function useWorkspace(): Membership | null {
  const { workspaces } = useAccount()
  const slug = chosenWorkspace()
  return workspaces.find((workspace) => workspace.slug === slug) ?? workspaces[0] ?? null
}

/** Whether the person may do that in the workspace that is looked at. The panel decides; this only spares a click that it would refuse. */
export function useMay(permission: WorkspacePermission): boolean {
  const workspace = useWorkspace()
  return workspace !== null && rolePermissions[workspace.role].includes(permission)
}
