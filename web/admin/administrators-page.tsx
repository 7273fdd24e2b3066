import type { ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { useAccount } from '../session/session.ts'
import { Page } from '../ui/page.tsx'
import { Notice } from '../ui/state.tsx'
import { adminText } from './text.ts'

/** A page for the people who run this installation: others, who came by a link, are told so, and nothing is asked for. */
export function AdministratorsPage({ title, children }: { title: string; children: ReactNode }) {
  const t = useText(adminText)
  const { instanceAdmin } = useAccount()
  if (instanceAdmin) return children
  return (
    <Page title={title} tabTitle={title}>
      <Notice tone="warn">{t.onlyAdmins}</Notice>
    </Page>
  )
}
