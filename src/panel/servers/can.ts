import { conflict } from '../../contract/errors.ts'
import {
  commandRules,
  type PowerAction,
  powerRules,
  reinstallRules,
  type ServerStatus,
  type Verdict,
} from '../../contract/power.ts'
import type { Status } from './status.ts'

/**
 * Each of these throws `conflict` with the contract's words where the status rules the action out. What passes is still
 * the node's to decide: it alone knows what the server does at this moment.
 */
export const mustAllowPower = (name: string, action: PowerAction, now: Status): void =>
  obey(name, action, powerRules[action][now.status], now)

export const mustAllowCommand = (name: string, now: Status): void =>
  obey(name, 'send a command to', commandRules[now.status], now)

export const mustAllowReinstall = (name: string, now: Status): void =>
  obey(name, 'reinstall', reinstallRules[now.status], now)

function obey(name: string, action: string, verdict: Verdict, now: Status): void {
  if (verdict === 'do' || verdict === 'done') return
  throw conflict(`Cannot ${action} ${name}. ${detailOf(now.status, now.message) ?? verdict}`)
}

/** While the node is away its name says more than the table can. */
function detailOf(status: ServerStatus, message: string | null): string | null {
  return status === 'unknown' && message ? `${message} Try again once it is back.` : null
}
