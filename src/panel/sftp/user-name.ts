/** `ada@example.com.1a7ce997`: whose account, and which server. An e-mail address never ends in eight such digits by chance: it is the last part that counts. */
export const userNameOf = (email: string, serverId: string): string => `${email}.${serverId}`

/** Null for what is no such name. */
export function readUserName(text: string): { email: string; serverId: string } | null {
  const [, email, serverId] = /^(.{3,254})\.([0-9a-f]{8})$/s.exec(text) ?? []
  return email !== undefined && serverId !== undefined ? { email: email.toLowerCase(), serverId } : null
}
