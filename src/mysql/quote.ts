import { AccountName, DatabaseKey, DatabasePassword, RemotePattern } from '../contract/database-names.ts'

/**
 * Names and host patterns cannot be parameters of a statement. What is quoted here has passed an allow-list without any
 * character that means something to SQL, so that no mode of any server can read it otherwise; anything else throws.
 */
export const databaseName = (name: string): string => `\`${DatabaseKey.parse(name)}\``

/** In a grant `_` stands for any character unless it is escaped: `a_b` must not open `axb` too. */
export const grantedDatabase = (name: string): string => `\`${DatabaseKey.parse(name).replaceAll('_', '\\_')}\``

export const account = ({ user, remote }: { user: string; remote: string }): string =>
  `'${AccountName.parse(user)}'@'${RemotePattern.parse(remote)}'`

export const password = (value: string): string => `'${DatabasePassword.parse(value)}'`

/** The name of anything that is in a database, as its owner chose it. */
export const identifier = (name: string): string => `\`${name.replaceAll('`', '``')}\``
