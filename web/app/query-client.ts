import { QueryClient } from '@tanstack/react-query'
import { ApiError } from '../../src/client/index.ts'

/** Tries of a request that got no answer. What was answered, and be it with a refusal, is not asked again. */
const triesMax = 3

const staleMs = 10_000

export const createQueryClient = (): QueryClient =>
  new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: staleMs,
        retry: (failures, error) => failures < triesMax && error instanceof ApiError && error.code === 'unreachable',
      },
      mutations: { retry: false },
    },
  })
