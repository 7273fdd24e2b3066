import { AppError } from '../../contract/errors.ts'

/** How soon an agent of a suspended workspace may ask again, seconds: it is to be back within 5 s once it is let back. */
const askAgainSeconds = 4

/** The refusal of whatever would be allowed if the workspace were not suspended: its agents go on asking. */
export const suspendedNow = (slug: string): AppError =>
  new AppError('rate_limited', `Workspace ${slug} is suspended`, { retryAfterSeconds: askAgainSeconds })
