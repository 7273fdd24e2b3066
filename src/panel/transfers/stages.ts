import type { TransferStage } from '../../contract/transfer-stages.ts'

/**
 * Where a transfer is, and what may follow. The server is the source's until `switching` has succeeded, in one transaction of the
 * panel's database; from then on it is the target's. Nothing before that takes anything from the source, so from every stage before `done`
 * the way back is the same: the source lets it go on, the target forgets it.
 *
 * ```
 * waiting ──begun──▶ stopping ──done──▶ copying ──done──▶ verifying ──done──▶ databases ──done──▶ switching ──done──▶ done
 *    │                  │                 │  ▲               │                  │  ▲                 │
 *    │                  │                 │  └────again──────┘                  │  └──────again──────┘
 *    └──────────────────┴───── cancel ────┴──────────────────┴──────────────────┴────────────────────┘──▶ cancelled
 *    └──────────────────┴──── give up ────┴──────────────────┴──────────────────┴────────────────────┘──▶ failed
 * ```
 *
 * A panel that was killed left the stage in the database: whoever takes over goes on from there. Until `verifying` has ended both nodes may have
 * forgotten what they did; then `again`, which copies anew. With it the target has adopted the server, still held: that outlives
 * everything, and only the databases are brought anew.
 */
export type Outcome = 'done' | 'again' | 'cancel' | 'give up'

const order = ['waiting', 'stopping', 'copying', 'verifying', 'databases', 'switching', 'done'] as const
type OnTheWay = (typeof order)[number]

/** What follows. A stage that is an end stays. */
export function after(stage: TransferStage, outcome: Outcome): TransferStage {
  if (isEnd(stage)) return stage
  switch (outcome) {
    case 'cancel':
      return 'cancelled'
    case 'give up':
      return 'failed'
    case 'again':
      if (isBefore(stage, 'copying')) return stage
      return isBefore(stage, 'databases') ? 'copying' : 'databases'
    case 'done':
      // Every stage on the way but the last has one after it, and the last is an end.
      return order[order.indexOf(stage as OnTheWay) + 1] as TransferStage
  }
}

export const isEnd = (stage: TransferStage): boolean => stage === 'done' || stage === 'failed' || stage === 'cancelled'

/** Whether the server is held: it has begun and not ended. */
export const holds = (stage: TransferStage): boolean => !isEnd(stage) && stage !== 'waiting'

const isBefore = (stage: TransferStage, other: OnTheWay): boolean =>
  order.indexOf(stage as OnTheWay) < order.indexOf(other)
