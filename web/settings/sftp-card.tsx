import { queryOptions, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api } from '../api/api.ts'
import { errorText } from '../api/error-text.ts'
import { Facts } from '../databases/facts.tsx'
import { useText } from '../i18n/language.tsx'
import { useServer } from '../servers/server-layout.tsx'
import { Card } from '../ui/card.tsx'
import { CommandBlock, Copyable } from '../ui/copy.tsx'
import { Notice } from '../ui/state.tsx'
import { sftpText } from './sftp-text.ts'

const sftpQuery = (serverId: string) =>
  queryOptions({
    queryKey: ['server', serverId, 'sftp'],
    queryFn: ({ signal }) => api.sftpDetails({ params: { serverId } }, { signal }),
  })

/** How to reach the server's files by SFTP; nothing for whoever may not. */
export function SftpCard() {
  const t = useText(sftpText)
  const { serverId, may } = useServer()
  const { data, error } = useQuery({ ...sftpQuery(serverId), enabled: may('sftp.connect') })
  if (!may('sftp.connect') || (!data && !error)) return null
  return (
    <Card title={t.title} description={t.hint}>
      {error && <Notice tone="bad">{errorText(error)}</Notice>}
      {data && !data.enabled && <p className="text-muted">{t.off}</p>}
      {data?.enabled && (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-4">
          <Facts
            facts={[
              [t.user, <Copyable key="user" text={data.user} />],
              [t.host, data.host === null ? t.unknownHost : <Copyable key="host" text={data.host} />],
              [t.port, <Copyable key="port" text={String(data.port)} />],
              [t.fingerprint, <Copyable key="fingerprint" text={data.fingerprint ?? ''} />],
            ]}
          />
          {data.host !== null && <CommandBlock text={`sftp -P ${data.port} ${data.user}@${data.host}`} />}
          <p>
            <Link to="/account" className="text-accent underline">
              {t.addKey}
            </Link>
          </p>
        </div>
      )}
    </Card>
  )
}
