import { useQuery } from '@tanstack/react-query'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Notice } from '../ui/state.tsx'
import { leaveFor, providersQuery } from './providers.ts'
import { sessionText } from './text.ts'

/** A button for each provider that people may sign in with; nothing where there is none. `next`: the page to go to then. */
export function ProviderButtons({ next }: { next: string | undefined }) {
  const t = useText(sessionText)
  const { data: providers = [] } = useQuery(providersQuery)
  const leave = useAction({
    async run(provider: string) {
      const { url } = await api.beginProviderSignIn({
        params: { provider },
        body: next === undefined ? {} : { next },
      })
      return leaveFor(url)
    },
    quiet: true,
  })
  if (providers.length === 0) return null
  return (
    <>
      <p className="flex items-center gap-3 text-[13px] text-muted before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
        {t.or}
      </p>
      {leave.error && <Notice tone="bad">{errorText(leave.error)}</Notice>}
      {providers.map(({ provider, name }) => (
        <Button
          key={provider}
          className="wrap-anywhere h-auto! min-h-9 whitespace-normal! py-1.5"
          busy={leave.isPending && leave.variables === provider}
          onClick={() => leave.mutate(provider)}
        >
          {t.continueWith(name)}
        </Button>
      ))}
    </>
  )
}
