import { type Logger, pino } from 'pino'

export type Log = Logger

export interface LogOptions {
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** The role that speaks: panel, node, edge, agent. */
  name: string
}

/** Structured log on standard error, so that standard output stays data. Fields that carry secrets are cut here as a last line of defence. */
export function createLog({ level, name }: LogOptions): Log {
  return pino(
    {
      level,
      name,
      redact: {
        paths: ['token', 'password', 'key', 'secret', '*.token', '*.password', '*.secret'],
        censor: '[secret]',
      },
    },
    pino.destination({ fd: 2, sync: true }),
  )
}

export const silentLog: Log = pino({ level: 'silent' })
