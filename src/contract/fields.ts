import { z } from 'zod'

/** ISO 8601 in UTC with milliseconds. */
export const Time = z.iso
  .datetime()
  .meta({ description: 'ISO 8601, UTC, with milliseconds', example: '2026-06-01T12:00:00.000Z' })

/** No control characters, the newer ones (U+0080 to U+009F) included: a terminal takes those for escape sequences, too. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
export const noControls = /^[^\u0000-\u001f\u007f-\u009f]*$/

/** A name that people give: no control characters, so that it is safe in a log line or a terminal. */
export const displayName = (most: number) =>
  z.string().trim().min(1).max(most).regex(noControls, 'must not contain control characters')

/** A workspace's slug: it becomes a part of host names. No hyphen, so that `name-slug` splits at the last one. */
export const Slug = z
  .string()
  .regex(/^[a-z][a-z0-9]{1,31}$/, 'must be 2 to 32 lower-case letters and digits, beginning with a letter')

/** A tunnel's name: one DNS label. */
export const TunnelName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a DNS label: lower-case letters, digits and inner hyphens, at most 63',
  )

/** E-mail addresses are compared in lower case. */
export const Email = z
  .string()
  .trim()
  .max(254)
  .transform((text) => text.toLowerCase())
  .pipe(z.email())

/** Long enough to resist guessing (NIST SP 800-63B asks for at least 8); the upper bound keeps hashing cheap. */
export const Password = z.string().min(10, 'must have at least 10 characters').max(256)

export const Port = z.int().min(1).max(65_535)

/** How a page of a growing list is asked for. */
export const PageQuery = {
  limit: z.coerce.number().int().min(1).max(100).optional(),
  cursor: z.string().max(200).optional(),
}
