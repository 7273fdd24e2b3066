import type { Store } from '../db/index.ts'
import { readSettings } from '../tunnels/index.ts'
import { KeptAccess } from './kept.ts'

/** What is kept of a tunnel's rules. */
export async function keptAccess(store: Store, tunnelId: string): Promise<KeptAccess> {
  return KeptAccess.parse((await readSettings(store, tunnelId)).get('access') ?? {})
}
