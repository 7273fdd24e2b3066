import { api } from '../api/api.ts'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { serversText } from '../servers/text.ts'
import { ActivityList } from './activity-list.tsx'

export function ServerActivityPage() {
  const t = useText(serversText)
  const { serverId } = useServer()
  return (
    <ActivityList
      name={['server', serverId]}
      caption={t.tabs.activity}
      page={(cursor, signal) =>
        api.serverActivity({ params: { serverId }, query: cursor === undefined ? {} : { cursor } }, { signal })
      }
    />
  )
}
