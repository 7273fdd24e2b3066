import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

/** The providers that people may sign in with here. */
export const providersQuery = queryOptions({
  queryKey: ['sign-in-providers'],
  queryFn: async ({ signal }) => (await api.signInProviders({}, { signal })).providers,
})

/** Leaves the panel for a provider; the button that was pressed stays busy until the browser is gone. */
export function leaveFor(url: string): Promise<never> {
  location.assign(url)
  return new Promise(() => undefined)
}
