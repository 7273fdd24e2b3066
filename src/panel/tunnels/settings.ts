import { TunnelSettings } from '../../contract/tunnel-settings.ts'
import type { Store } from '../db/index.ts'

/** What a part is kept under; certificates are kept with their domains. */
export type SettingsPart = Exclude<keyof TunnelSettings, 'certificates'>

/** For each part: how what is kept of it becomes what an edge needs, with the secrets opened. */
export type SettingsParts = {
  readonly [Part in SettingsPart]-?: (kept: unknown, tunnelId: string) => NonNullable<TunnelSettings[Part]>
}

/** How a tunnel treats its visitors, as an edge needs it. */
export async function grantedSettings(store: Store, parts: SettingsParts, tunnelId: string): Promise<TunnelSettings> {
  const kept = await readSettings(store, tunnelId)
  const known: Readonly<Record<string, (kept: unknown, tunnelId: string) => unknown>> = parts
  const granted = [...kept].flatMap(([part, value]) => (known[part] ? [[part, known[part](value, tunnelId)]] : []))
  return TunnelSettings.parse(Object.fromEntries(granted))
}

/** Every part of a tunnel's settings, parsed from JSON and in need of its slice's schema. */
export async function readSettings(store: Store, tunnelId: string): Promise<Map<string, unknown>> {
  const rows = await store
    .selectFrom('tunnel_settings')
    .select(['part', 'value'])
    .where('tunnel_id', '=', tunnelId)
    .execute()
  return new Map(rows.map(({ part, value }) => [part, JSON.parse(value)]))
}

/** Keeps one part; null: nothing of it any more. Publish `{of: 'tunnel'}` after the commit: the edges then follow. */
export async function saveSettings(
  trx: Store,
  tunnelId: string,
  part: SettingsPart,
  value: object | null,
  now: number,
): Promise<void> {
  if (value === null) {
    await trx.deleteFrom('tunnel_settings').where('tunnel_id', '=', tunnelId).where('part', '=', part).execute()
    return
  }
  const row = { value: JSON.stringify(value), changed_at: now }
  await trx
    .insertInto('tunnel_settings')
    .values({ tunnel_id: tunnelId, part, ...row })
    .onConflict((conflict) => conflict.columns(['tunnel_id', 'part']).doUpdateSet(row))
    .execute()
}
