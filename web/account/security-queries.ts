import { queryOptions } from '@tanstack/react-query'
import { api } from '../api/api.ts'

export const twoFactorQuery = queryOptions({
  queryKey: ['two-factor'],
  queryFn: ({ signal }) => api.twoFactor({}, { signal }),
})

export const passkeysQuery = queryOptions({
  queryKey: ['passkeys'],
  queryFn: ({ signal }) => api.passkeys({}, { signal }),
})

export const linkedProvidersQuery = queryOptions({
  queryKey: ['linked-providers'],
  queryFn: ({ signal }) => api.linkedProviders({}, { signal }),
})
