import { CaptureSettings } from '../../contract/tunnel-capture.ts'
import type { SettingsParts } from '../tunnels/index.ts'

/** How what is kept of a tunnel's capture becomes what an edge needs: it is the same. */
export const captureParts: Pick<SettingsParts, 'capture'> = { capture: (kept) => CaptureSettings.parse(kept) }
