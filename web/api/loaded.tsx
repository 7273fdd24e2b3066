import type { ReactNode } from 'react'
import { ErrorState, Loading } from '../ui/state.tsx'
import { errorText } from './error-text.ts'

/** What a query brought. Until then that it is on its way, or what went wrong, with a way to try again. */
export function Loaded<Data>({
  query: { data, error, refetch },
  children,
}: {
  query: { data: Data | undefined; error: Error | null; refetch(): unknown }
  children(data: Data): ReactNode
}) {
  if (data !== undefined) return children(data)
  return error ? <ErrorState title={errorText(error)} onRetry={() => void refetch()} /> : <Loading />
}
