import { useText } from '../i18n/language.tsx'
import { Badge } from '../ui/badge.tsx'
import type { Webhook } from './queries.ts'
import { webhooksText } from './text.ts'

const tones = { on: 'good', failing: 'warn', off: 'bad' } as const

export function WebhookState({ webhook: { enabled, failingSince } }: { webhook: Webhook }) {
  const t = useText(webhooksText)
  const state = !enabled ? 'off' : failingSince === null ? 'on' : 'failing'
  return <Badge tone={tones[state]}>{t.states[state]}</Badge>
}

/** Its label; whom it tells, where it has none. */
export const nameOf = ({ id, label, url, to }: Webhook): string => label ?? url ?? to ?? id
