import { queryOptions, useSuspenseQuery } from '@tanstack/react-query'
import { IdCard, Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { api } from '../api/api.ts'
import { errorText, fieldError } from '../api/error-text.ts'
import { useAction } from '../api/use-action.ts'
import { useFormat } from '../i18n/format.ts'
import { useText } from '../i18n/language.tsx'
import { providersQuery } from '../session/providers.ts'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Copyable } from '../ui/copy.tsx'
import { ConfirmDialog, FormDialog } from '../ui/dialog.tsx'
import { Field, Input } from '../ui/field.tsx'
import { ListPage } from '../ui/list-page.tsx'
import { Menu } from '../ui/menu.tsx'
import { Select } from '../ui/select.tsx'
import { Notice } from '../ui/state.tsx'
import { Switch } from '../ui/switch.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { identityProvidersText } from './identity-providers-text.ts'

type Provider = Awaited<ReturnType<typeof api.identityProviders>>['providers'][number]

const identityProvidersQuery = queryOptions({
  queryKey: ['identity-providers'],
  queryFn: ({ signal }) => api.identityProviders({}, { signal }),
})
const changes = [identityProvidersQuery.queryKey, providersQuery.queryKey]

export function IdentityProvidersPage() {
  const t = useText(identityProvidersText)
  return (
    <AdministratorsPage title={t.title}>
      <IdentityProviders />
    </AdministratorsPage>
  )
}

type Doing = { what: 'change' | 'remove'; provider: Provider } | { what: 'add' }

function IdentityProviders() {
  const t = useText(identityProvidersText)
  const format = useFormat()
  const { providers, redirectBase } = useSuspenseQuery(identityProvidersQuery).data
  const [doing, setDoing] = useState<Doing | null>(null)
  const close = (): void => setDoing(null)
  const test = useAction({
    run: ({ slug }: Provider) => api.testIdentityProvider({ params: { provider: slug } }),
    done: ({ authorizationEndpoint }, { name, issuer }) => t.works(name, authorizationEndpoint ?? issuer),
  })
  const add = (
    <Button kind="primary" icon={Plus} onClick={() => setDoing({ what: 'add' })}>
      {t.add}
    </Button>
  )
  return (
    <ListPage
      text={t}
      icon={IdCard}
      add={add}
      rows={providers.map((provider) => ({ ...provider, id: provider.slug }))}
      columns={[
        {
          key: 'name',
          title: t.name,
          className: 'wrap-anywhere font-medium',
          cell: ({ name, enabled }) => (
            <span>
              {name} {!enabled && <Badge tone="warn">{t.off}</Badge>}
            </span>
          ),
        },
        {
          key: 'issuer',
          title: t.issuer,
          wideOnly: true,
          cell: ({ issuer }) => <code className="wrap-anywhere text-[13px]">{issuer}</code>,
        },
        { key: 'new', title: t.newAccounts, cell: ({ newAccounts }) => t.newAccountsShort[newAccounts] },
        { key: 'accounts', title: t.accounts, align: 'right', cell: ({ accounts }) => format.number(accounts) },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (provider) => (
            <span className="inline-flex items-center gap-1">
              <Button
                small
                aria-label={t.testOf(provider.name)}
                busy={test.isPending && test.variables.slug === provider.slug}
                onClick={() => test.mutate(provider)}
              >
                {t.test}
              </Button>
              <Menu
                label={t.moreFor(provider.name)}
                entries={[
                  { label: t.change, icon: Pencil, onSelect: () => setDoing({ what: 'change', provider }) },
                  'line',
                  {
                    ...{ label: t.remove, icon: Trash2, danger: true },
                    onSelect: () => setDoing({ what: 'remove', provider }),
                  },
                ]}
              />
            </span>
          ),
        },
      ]}
    >
      {doing?.what === 'add' && <ProviderForm provider={null} redirectBase={redirectBase} onClose={close} />}
      {doing?.what === 'change' && (
        <ProviderForm provider={doing.provider} redirectBase={redirectBase} onClose={close} />
      )}
      {doing?.what === 'remove' && <RemoveProvider provider={doing.provider} onClose={close} />}
    </ListPage>
  )
}

function RemoveProvider({ provider: { slug, name }, onClose }: { provider: Provider; onClose(): void }) {
  const t = useText(identityProvidersText)
  const remove = useAction({
    run: () => api.deleteIdentityProvider({ params: { provider: slug } }),
    done: t.removed(name),
    changes,
    quiet: true,
    onDone: onClose,
  })
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={t.removeTitle(name)}
      description={t.removeText}
      submit={t.remove}
      busy={remove.isPending}
      onSubmit={() => remove.mutate()}
    >
      {remove.error && <Notice tone="bad">{errorText(remove.error)}</Notice>}
    </ConfirmDialog>
  )
}

function ProviderForm({
  provider: known,
  redirectBase,
  onClose,
}: {
  provider: Provider | null
  redirectBase: string
  onClose(): void
}) {
  const t = useText(identityProvidersText)
  const [values, setValues] = useState({
    ...{ name: known?.name ?? '', slug: known?.slug ?? '', issuer: known?.issuer ?? '' },
    ...{ clientId: known?.clientId ?? '', clientSecret: '', domains: known?.domains.join(' ') ?? '' },
    scopes: known?.scopes.join(' ') ?? 'openid email profile',
  })
  const [newAccounts, setNewAccounts] = useState<Provider['newAccounts']>(known?.newAccounts ?? 'nobody')
  const [enabled, setEnabled] = useState(known?.enabled ?? true)
  const save = useAction({
    run() {
      const { name, slug, issuer, clientId, clientSecret } = values
      const body = {
        ...{ name, clientId: clientId.trim(), newAccounts, enabled },
        ...{ scopes: wordsOf(values.scopes), domains: wordsOf(values.domains) },
        ...(clientSecret === '' ? {} : { clientSecret }),
      }
      return known
        ? api.updateIdentityProvider({ params: { provider: known.slug }, body })
        : api.createIdentityProvider({ body: { ...body, slug, issuer: issuer.trim() } })
    },
    done: ({ name }) => (known ? t.saved : t.added(name)),
    changes,
    quiet: true,
    onDone: onClose,
  })
  const { error } = save
  const field = (name: keyof typeof values) => ({
    value: values[name],
    onChange: (event: { target: { value: string } }) => setValues({ ...values, [name]: event.target.value }),
  })
  const fields = Object.keys(values).some((name) => fieldError(error, name))
  return (
    <FormDialog
      open
      onOpenChange={onClose}
      title={known ? t.changeTitle(known.name) : t.add}
      {...(!known && { description: t.tried })}
      submit={known ? t.save : t.add}
      busy={save.isPending}
      onSubmit={() => save.mutate()}
    >
      <Field label={t.name} hint={t.nameHint} error={fieldError(error, 'name')}>
        <Input required maxLength={60} {...field('name')} />
      </Field>
      {!known && (
        <>
          <Field label={t.slug} hint={t.slugHint} error={fieldError(error, 'slug')}>
            <Input required maxLength={32} autoCapitalize="none" spellCheck={false} {...field('slug')} />
          </Field>
          <Field label={t.issuer} hint={t.issuerHint} error={fieldError(error, 'issuer')}>
            <Input required type="url" maxLength={500} placeholder="https://" spellCheck={false} {...field('issuer')} />
          </Field>
        </>
      )}
      <div className="grid gap-1.5">
        <p className="font-medium">{t.redirectUri}</p>
        <Copyable
          text={known?.redirectUri ?? redirectBase + values.slug}
          className="[&>code]:wrap-anywhere [&>code]:whitespace-normal"
        />
        <p className="text-[13px] text-muted">{t.redirectHint}</p>
      </div>
      <Field label={t.clientId} error={fieldError(error, 'clientId')}>
        <Input required maxLength={500} autoComplete="off" spellCheck={false} {...field('clientId')} />
      </Field>
      <Field
        label={t.clientSecret}
        hint={known?.confidential ? t.secretKept : t.secretNone}
        error={fieldError(error, 'clientSecret')}
      >
        <Input type="password" maxLength={512} autoComplete="new-password" {...field('clientSecret')} />
      </Field>
      <Field label={t.scopes} hint={t.scopesHint} error={fieldError(error, 'scopes')}>
        <Input required spellCheck={false} {...field('scopes')} />
      </Field>
      <Field label={t.newAccounts}>
        <Select<Provider['newAccounts']>
          value={newAccounts}
          onChange={setNewAccounts}
          choices={(['nobody', 'domains', 'anybody'] as const).map((value) => ({
            value,
            label: t.newAccountsOf[value],
          }))}
        />
      </Field>
      {newAccounts === 'domains' && (
        <Field label={t.domains} hint={t.domainsHint} error={fieldError(error, 'domains')}>
          <Input required spellCheck={false} {...field('domains')} />
        </Field>
      )}
      <Switch label={t.enabled} hint={t.enabledHint} checked={enabled} onChange={setEnabled} />
      {error && !fields && <Notice tone="bad">{errorText(error)}</Notice>}
    </FormDialog>
  )
}

const wordsOf = (text: string): string[] => text.split(/[\s,]+/).filter((word) => word !== '')
