import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import type { Domain } from './queries.ts'
import { domainsText } from './text.ts'

const tones = { pending: 'plain', active: 'good', warned: 'warn', off: 'bad' } as const
const certificateTones = { none: 'plain', waiting: 'plain', ordering: 'accent', issued: 'good', failed: 'bad' } as const

export function DomainState({ domain: { state } }: { domain: Domain }) {
  const t = useText(domainsText)
  return (
    <Badge tone={tones[state]} dot>
      {t.states[state]}
    </Badge>
  )
}

export function CertificateState({ domain: { certificate } }: { domain: Domain }) {
  const t = useText(domainsText)
  return (
    <Badge tone={certificateTones[certificate.state]} pulse={certificate.state === 'ordering'} dot>
      {t.certificates[certificate.state]}
    </Badge>
  )
}
