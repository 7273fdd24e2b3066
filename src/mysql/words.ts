import { AppError } from '../contract/errors.ts'

/**
 * Words a failure of the database server called `label` for the person who waits. What the driver says is dropped but for its
 * code: its errors carry the statement, and with it a password.
 */
export function wordsFor(label: string, error: unknown): AppError {
  if (error instanceof AppError) return error
  const code = codeOf(error)
  return new AppError('conflict', sentence(label, code), { cause: new Error(`${label}: ${code}`) })
}

/** `ECONNREFUSED`, `ER_ACCESS_DENIED_ERROR`; the name of the error where it has no code. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code = 'code' in error ? String(error.code) : error.name
  return /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : 'unknown'
}

function sentence(label: string, code: string): string {
  if (denied.has(code)) return `${label} refuses its administrator's name or password: correct them there or here.`
  if (code.startsWith('ER_') && code.includes('DENIED'))
    return `The administrator of ${label} may not do this there (${code}): it needs to make databases and users, and to grant.`
  if (code === 'ER_DB_CREATE_EXISTS') return `${label} has a database of this name already: choose another name.`
  if (code === 'ER_NOT_VALID_PASSWORD') return `${label} has rules for passwords that a generated one does not meet.`
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT')
    return `${label} does not speak TLS: turn it on there, or do without it here.`
  if (/CERT|SSL|TLS|ALTNAME/.test(code)) return `${label} shows a certificate that is not trusted (${code}).`
  if (code.startsWith('ER_')) return `${label} failed (${code}). Try again in a moment.`
  return `${label} does not answer (${code}). Try again once it does.`
}

const denied = new Set(['ER_ACCESS_DENIED_ERROR', 'ER_HOST_NOT_PRIVILEGED', 'ER_ACCESS_DENIED_NO_PASSWORD_ERROR'])
