import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { leaveFor, providersQuery } from '../session/providers.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Notice } from '../ui/state.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { linkedProvidersQuery } from './security-queries.ts'
import { signInProvidersText } from './sign-in-providers-text.ts'
import { PasswordField } from './two-factor-card.tsx'

interface Named {
  provider: string
  name: string
}

/** Who somebody is elsewhere, and signs in as. Nothing is shown where this panel has no providers. */
export function SignInProvidersCard() {
  const t = useText(signInProvidersText)
  const { links, hasPassword } = useSuspenseQuery(linkedProvidersQuery).data
  const { data: providers = [] } = useQuery(providersQuery)
  const [linking, setLinking] = useState<Named | null>(null)
  const [unlinking, setUnlinking] = useState<Named | null>(null)
  const open = providers.filter(({ provider }) => !links.some((link) => link.provider === provider))
  if (links.length === 0 && providers.length === 0) return null
  return (
    <Card flush title={t.title} description={t.hint}>
      {links.length === 0 ? (
        <p className="px-5 pb-5 text-muted">{t.none}</p>
      ) : (
        <Table
          caption={t.title}
          rows={links}
          rowKey={({ provider }) => provider}
          columns={[
            {
              key: 'provider',
              title: t.provider,
              className: 'wrap-anywhere',
              cell: ({ name, enabled }) => (
                <span>
                  {name} {!enabled && <Badge tone="warn">{t.disabled}</Badge>}
                </span>
              ),
            },
            { key: 'account', title: t.account, className: 'wrap-anywhere', cell: ({ account }) => account },
            {
              key: 'used',
              title: t.lastUsed,
              cell: ({ lastUsedAt }) => (lastUsedAt === null ? t.never : <RelativeTime at={lastUsedAt} />),
            },
            {
              key: 'actions',
              title: t.actions,
              align: 'right',
              cell: (link) => (
                <Button small kind="quiet" aria-label={t.unlinkOf(link.name)} onClick={() => setUnlinking(link)}>
                  {t.unlink}
                </Button>
              ),
            },
          ]}
        />
      )}
      {open.length > 0 && (
        <div className="flex flex-wrap gap-2 px-5 pt-2 pb-5">
          {open.map((one) => (
            <Button
              key={one.provider}
              className="wrap-anywhere h-auto! min-h-9 shrink! whitespace-normal! py-1.5"
              unavailable={hasPassword ? null : t.passwordFirst}
              onClick={() => setLinking(one)}
            >
              {t.link(one.name)}
            </Button>
          ))}
        </div>
      )}
      {linking && <LinkDialog provider={linking} onClose={() => setLinking(null)} />}
      {unlinking && <UnlinkDialog provider={unlinking} onClose={() => setUnlinking(null)} />}
    </Card>
  )
}

function LinkDialog({ provider: { provider, name }, onClose }: { provider: Named; onClose(): void }) {
  const t = useText(signInProvidersText)
  const [password, setPassword] = useState('')
  const leave = useAction({
    async run() {
      const { url } = await api.beginProviderLink({ params: { provider }, body: { password } })
      return leaveFor(url)
    },
    quiet: true,
  })
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={t.link(name)}
      description={t.linkHint}
      submit={t.goOn}
      busy={leave.isPending}
      disabled={password === ''}
      onSubmit={() => leave.mutate()}
    >
      <PasswordField value={password} onChange={setPassword} />
      {leave.error && <Notice tone="bad">{errorText(leave.error)}</Notice>}
    </FormDialog>
  )
}

function UnlinkDialog({ provider: { provider, name }, onClose }: { provider: Named; onClose(): void }) {
  const t = useText(signInProvidersText)
  const unlink = useAction({
    run: () => api.unlinkProvider({ params: { provider } }),
    done: t.unlinked,
    changes: [linkedProvidersQuery.queryKey],
    quiet: true,
    onDone: onClose,
  })
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={t.unlinkTitle(name)}
      description={t.unlinkHint}
      submit={t.unlink}
      busy={unlink.isPending}
      onSubmit={() => unlink.mutate()}
    >
      {unlink.error && <Notice tone="bad">{errorText(unlink.error)}</Notice>}
    </ConfirmDialog>
  )
}
