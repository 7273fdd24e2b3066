import type { SftpAnswer, SftpNews } from '../../contract/node-sftp.ts'
import type { SocketChannel } from '../../contract/operation.ts'
import { newUuid } from '../../lib/ids.ts'
import { answerMs, questionsMax } from './limits.ts'

/** One panel that listens. */
export type Door = Pick<SocketChannel<SftpNews, never>, 'send' | 'signal'>

type Question = Extract<SftpNews, { id: string }>
/** A question without the id that it gets here. */
export type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, 'id'> : never) : never

/** The panels that this node can ask, and what it has asked them. */
export class Doors {
  readonly #doors = new Set<Door>()
  readonly #waiting = new Map<string, { door: Door; answer(answer: SftpAnswer): void }>()

  open(door: Door): void {
    this.#doors.add(door)
  }

  /** What was asked there is not answered any more. */
  close(door: Door): void {
    this.#doors.delete(door)
    for (const [id, question] of this.#waiting)
      if (question.door === door) {
        this.#waiting.delete(id)
        question.answer(away)
      }
  }

  /**
   * Asks one panel, the same one as long as it is there: the steps of a sign-in belong together. Never rejects; without a panel the
   * answer is `later`.
   */
  async ask(asked: Asked): Promise<{ answer: SftpAnswer; door: Door | null }> {
    const [door] = this.#doors
    if (!door) return { answer: away, door: null }
    if (this.#waiting.size >= questionsMax) return { answer: busy, door }
    const id = newUuid()
    const answer = await new Promise<SftpAnswer>((resolve) => {
      const timer = setTimeout(() => this.answered(id, away), answerMs)
      this.#waiting.set(id, {
        door,
        answer(found) {
          clearTimeout(timer)
          resolve(found)
        },
      })
      door.send({ ...asked, id })
    })
    return { answer, door }
  }

  /** False where nobody waits for it any more. */
  answered(id: string, answer: SftpAnswer): boolean {
    const question = this.#waiting.get(id)
    this.#waiting.delete(id)
    question?.answer(answer)
    return question !== undefined
  }
}

const away: SftpAnswer = {
  outcome: 'later',
  message: 'The panel is away, so nobody can be let in. Try again in a moment.',
  seconds: 5,
}
const busy: SftpAnswer = {
  outcome: 'later',
  message: 'Too many people are signing in at this moment. Try again in a few seconds.',
  seconds: 5,
}
