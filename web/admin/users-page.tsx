import { infiniteQueryOptions, keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { api } from '../api/api.ts'
import { Loaded } from '../api/loaded.tsx'
import { useAction } from '../api/use-action.ts'
import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import { Button } from '../ui/button.tsx'
import { Card } from '../ui/card.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { Input } from '../ui/field.tsx'
import { Page } from '../ui/page.tsx'
import { Table } from '../ui/table.tsx'
import { RelativeTime } from '../ui/time.tsx'
import { AdministratorsPage } from './administrators-page.tsx'
import { usersText } from './users-text.ts'

type User = Awaited<ReturnType<typeof api.users>>['users'][number]

const usersKey = ['users'] as const

const usersQuery = (search: string) =>
  infiniteQueryOptions({
    queryKey: [...usersKey, search],
    queryFn: ({ signal, pageParam }) =>
      api.users(
        { query: { ...(search !== '' && { search }), ...(pageParam !== null && { cursor: pageParam }) } },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ nextCursor }) => nextCursor,
    placeholderData: keepPreviousData,
  })

/** Who has an account, and help for somebody who has lost the second factor. */
export function UsersPage() {
  const t = useText(usersText)
  return (
    <AdministratorsPage title={t.title}>
      <Users />
    </AdministratorsPage>
  )
}

function Users() {
  const t = useText(usersText)
  const [search, setSearch] = useState('')
  const query = useInfiniteQuery(usersQuery(useDeferredValue(search.trim())))
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = query
  const [asked, setAsked] = useState<User | null>(null)
  const reset = useAction({
    run: ({ id }: User) => api.resetSecondFactor({ params: { user: id } }),
    done: t.resetDone,
    changes: [usersKey],
    onDone: () => setAsked(null),
  })
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint}>
      <div className="grid gap-4">
        <Card flush>
          <div className="border-line border-b px-5 py-3">
            <Input
              type="search"
              aria-label={t.search}
              placeholder={t.search}
              className="max-w-sm"
              maxLength={200}
              value={search}
              onChange={(event) => setSearch(event.target.value)}
              autoComplete="off"
              spellCheck={false}
            />
          </div>
          <Loaded query={query}>
            {({ pages }) => <List users={pages.flatMap(({ users }) => users)} onReset={setAsked} />}
          </Loaded>
        </Card>
        {hasNextPage && (
          <Button className="justify-self-center" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            {t.more}
          </Button>
        )}
      </div>
      <ConfirmDialog
        open={asked !== null}
        onOpenChange={() => setAsked(null)}
        title={t.resetTitle(asked?.email ?? '')}
        description={t.resetText}
        submit={t.reset}
        busy={reset.isPending}
        onSubmit={() => asked && reset.mutate(asked)}
      />
    </Page>
  )
}

function List({ users, onReset }: { users: readonly User[]; onReset(user: User): void }) {
  const t = useText(usersText)
  if (users.length === 0) return <p className="px-5 py-8 text-center text-muted">{t.none}</p>
  return (
    <Table
      caption={t.title}
      rows={users}
      rowKey={({ id }) => id}
      columns={[
        { key: 'user', title: t.user, cell: (user) => <Name user={user} /> },
        {
          key: 'workspaces',
          title: t.workspaces,
          className: 'wrap-anywhere',
          cell: ({ workspaces }) => workspaces.map(({ slug }) => slug).join(', '),
        },
        {
          key: 'sign-in',
          title: t.signIn,
          cell: ({ secondFactor, passkeys }) =>
            [secondFactor ? t.withCode : t.withPassword, passkeys > 0 && t.passkeys(passkeys)]
              .filter(Boolean)
              .join(', '),
        },
        { key: 'since', title: t.since, cell: ({ createdAt }) => <RelativeTime at={createdAt} /> },
        {
          key: 'actions',
          title: t.actions,
          align: 'right',
          cell: (user) => (
            <Button
              small
              aria-label={t.resetOf(user.email)}
              unavailable={user.secondFactor ? null : t.noFactor}
              onClick={() => onReset(user)}
            >
              {t.reset}
            </Button>
          ),
        },
      ]}
    />
  )
}

function Name({ user: { email, name, instanceAdmin } }: { user: User }) {
  const t = useText(usersText)
  return (
    <span className="wrap-anywhere min-w-0">
      <span className="font-medium">{email}</span> {instanceAdmin && <Badge tone="accent">{t.administrator}</Badge>}
      {name !== '' && name !== email && <span className="block text-[13px] text-muted">{name}</span>}
    </span>
  )
}
