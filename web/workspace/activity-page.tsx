import { ActivityList } from '../activity/activity-list.tsx'
import { api } from '../api/api.ts'
import { useText } from '../i18n/language.tsx'
import { Page } from '../ui/page.tsx'
import { workspaceText } from './text.ts'

export function WorkspaceActivityPage() {
  const t = useText(workspaceText).activity
  return (
    <Page title={t.title} tabTitle={t.title} description={t.hint}>
      <ActivityList
        name={['workspace']}
        caption={t.title}
        page={(cursor, signal) => api.workspaceActivity({ query: cursor === undefined ? {} : { cursor } }, { signal })}
      />
    </Page>
  )
}
