import type { Channel, Dialler } from '../channel.ts'

/**
 * Tries several ways to the same end, best first: each begins when the one before has failed, or has had its `headStartMs`. The
 * first that connects is taken, the others are given up. Rejects as the first one did when all have failed: it is the way
 * that people know of.
 */
export function firstDialler(diallers: readonly Dialler[], headStartMs: number): Dialler {
  return (signal) =>
    new Promise<Channel>((resolve, reject) => {
      const errors: unknown[] = []
      const giveUp = new AbortController()
      const either = AbortSignal.any([signal, giveUp.signal])
      let begun = 0
      let failed = 0
      let timer: NodeJS.Timeout | undefined
      let settled = false
      const settle = (): boolean => {
        const first = !settled
        settled = true
        clearTimeout(timer)
        return first
      }
      const begin = (): void => {
        clearTimeout(timer)
        const index = begun
        const dialler = diallers[index]
        if (settled || !dialler) return
        begun += 1
        timer = setTimeout(begin, headStartMs)
        dialler(either).then(
          (channel) => {
            if (!settle()) {
              channel.duplex.destroy()
              return
            }
            giveUp.abort(new Error('another way was quicker'))
            resolve(channel)
          },
          (error: unknown) => {
            errors[index] = error
            failed += 1
            if (failed < diallers.length && !signal.aborted) begin()
            else if (settle()) reject(signal.aborted ? signal.reason : errors[0])
          },
        )
      }
      begin()
    })
}
