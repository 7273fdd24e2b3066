import { useQueryClient } from '@tanstack/react-query'
import { ApiError } from '../../src/client/index.ts'
import { errorText } from '../api/error-text.ts'
import { type Action, useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { visible } from './file-name.tsx'
import { filesKey } from './queries.ts'
import { filesText } from './text.ts'

/** Something that changes files: afterwards everything that is shown of them is read again. */
export function useFileAction<Input, Output>(action: Omit<Action<Input, Output>, 'changes'>) {
  const { serverId } = useServer()
  return useAction({ ...action, changes: [filesKey(serverId)] })
}

/** Does it to one after another; those that failed are counted, and the first is named. */
export function useForEach(): (names: readonly string[], act: (name: string) => Promise<unknown>) => Promise<void> {
  const t = useText(filesText)
  return async (names, act) => {
    const failures: unknown[] = []
    for (const name of names) await patiently(() => act(name)).catch((error: unknown) => failures.push(error))
    const [first] = failures
    if (failures.length === 0) return
    if (names.length === 1) throw first
    throw new Error(t.someFailed(failures.length, names.length, visible(errorText(first))))
  }
}

/** Reads again whatever is shown of a server's files. */
export function useRefresh(): () => Promise<void> {
  const queries = useQueryClient()
  const { serverId } = useServer()
  return () => queries.invalidateQueries({ queryKey: filesKey(serverId) })
}

/** Hundreds of files one after another may be too many requests for a minute: then it goes on in the next one. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'rate_limited') throw error
      const seconds = error.retryAfterSeconds ?? 1
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
    }
}
