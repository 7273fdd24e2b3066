import { z } from 'zod'

/** The name that a database has on its server: `s1a7ce997_shop`. At most 64 characters fit there. */
export const DatabaseKey = z.string().regex(/^s[0-9a-f]{8}_[a-z0-9][a-z0-9_-]{0,47}$/)

/** The name of the account that comes with a database: `s1a7ce997_4k2j9x0q1m5v`. MySQL takes 32 characters. */
export const AccountName = z.string().regex(/^s[0-9a-f]{8}_[0-9a-z]{12}$/)

/** Made by the panel. No character of it needs quoting in SQL, in a URL, or in a configuration file. */
export const DatabasePassword = z.string().regex(/^[A-Za-z0-9_-]{32}$/)

/** A name or an IPv4 address, with `%` for any characters and `_` for any one. */
const namePattern = String.raw`[a-z0-9_%](?:[a-z0-9_%.-]*[a-z0-9_%])?`
const ipv4 = String.raw`[0-9]{1,3}(?:\.[0-9]{1,3}){3}`
const ipv6 = String.raw`[0-9a-f:%]*:[0-9a-f:%]*`

/** Where an account may connect from, as MariaDB and MySQL write it, in lower case: 60 characters fit there. */
export const RemotePattern = z
  .string()
  .max(60)
  .transform((text) => text.toLowerCase())
  .pipe(
    z
      .string()
      .regex(
        new RegExp(`^(?:${namePattern}|${ipv4}/${ipv4}|${ipv6})$`),
        'must be an address or a host name, with % for any characters: 203.0.113.7, 10.0.%, %',
      ),
  )
