import { type QueryKey, type UseMutationResult, useMutation, useQueryClient } from '@tanstack/react-query'
import { toast } from '../ui/toast.ts'
import { errorText } from './error-text.ts'

export interface Action<Input, Output> {
  run(input: Input): Promise<Output>
  /** What to say when it succeeded. */
  done?: string | ((output: Output, input: Input) => string)
  /** What has to be read again afterwards, also when it failed. */
  changes?: readonly QueryKey[] | ((input: Input) => readonly QueryKey[])
  onDone?(output: Output, input: Input): void
  /** Refusals are shown where they belong, in a form, and not in a corner. */
  quiet?: boolean
}

/** Something that a person does here: runs it, says how it went, and has what it changed read again. */
export function useAction<Input = void, Output = unknown>(
  action: Action<Input, Output>,
): UseMutationResult<Output, Error, Input> {
  const queries = useQueryClient()
  return useMutation<Output, Error, Input>({
    mutationFn: action.run,
    onSuccess(output, input) {
      const said = typeof action.done === 'function' ? action.done(output, input) : action.done
      if (said) toast.success(said)
      action.onDone?.(output, input)
    },
    onError(error) {
      if (!action.quiet) toast.error(errorText(error))
    },
    async onSettled(_output, _error, input) {
      const keys = typeof action.changes === 'function' ? action.changes(input) : (action.changes ?? [])
      await Promise.all(keys.map((queryKey) => queries.invalidateQueries({ queryKey })))
    },
  })
}
