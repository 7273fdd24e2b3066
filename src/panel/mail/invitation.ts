import { nameCharsMax } from './limits.ts'
import type { Delivery, Letter, Post } from './post.ts'

/** What an invitation is to. */
export type InvitedTo = { kind: 'workspace'; name: string } | { kind: 'server'; name: string }

export interface Delivered {
  mailed: boolean
  /** The link, where it was not mailed: then it is all there is. */
  url: string | null
  /** What became of it, for the person who invites. */
  message: string
}

/** Mails an invitation where that is possible; whatever becomes of the letter, the invitation stands. */
export async function deliverInvitation(
  post: Post,
  senderId: string,
  about: Parameters<typeof invitationLetter>[0],
): Promise<Delivered> {
  const delivery = await post.send(senderId, invitationLetter(about))
  const mailed = delivery === 'sent'
  return { mailed, url: mailed ? null : about.url, message: words[delivery](about.to) }
}

const words: Readonly<Record<Delivery, (to: string) => string>> = {
  sent: (to) => `Invitation sent to ${to}`,
  off: (to) => `Invitation made: hand its link to ${to}`,
  failed: (to) => `Invitation made, but the e-mail could not be sent: hand its link to ${to}`,
  limited: (to) => `Invitation made, but you have had too many e-mails sent this hour: hand its link to ${to}`,
}

/** The letter that carries an invitation's link. */
export function invitationLetter(about: {
  to: string
  /** Address of the person who invites. */
  by: string
  what: InvitedTo
  url: string
  expiresAt: number
}): Letter {
  const { to, by, what, url, expiresAt } = about
  const place = `the ${what.kind} “${harmless(what.name)}”`
  return {
    to,
    subject: `Invitation to ${place}`,
    text: [
      `${by} invites you to ${place}.`,
      '',
      'Open this link to accept:',
      url,
      '',
      `It works once, until ${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC, and only for you: do not pass it on.`,
      'If you expected nothing of the kind, ignore this letter; nothing happens without the link.',
      '',
    ].join('\n'),
  }
}

/**
 * A name that somebody chose, without what a mail program would make a link or an address of, and without what hides or turns
 * around text: an invitation must not carry a stranger's advertisement.
 */
function harmless(name: string): string {
  const plain = name
    .normalize('NFC')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[.:/\\@<>[\]()]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
  return plain.length > nameCharsMax ? `${plain.slice(0, nameCharsMax)}…` : plain
}
