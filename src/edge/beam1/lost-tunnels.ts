/** Whoever believes that they serve a tunnel. */
export interface Claimant {
  /** Nobody serves the tunnel any more. */
  freed(tunnelId: string): void
}

/**
 * Tunnels that others have taken over from agents whose protocol has no word for that. Such an agent believes that it serves them still, and
 * does so again once nobody else does.
 */
export class LostTunnels {
  /** By the tunnel's id. */
  readonly #claimants = new Map<string, Set<Claimant>>()

  /** Idempotent. */
  add(tunnelId: string, claimant: Claimant): void {
    const claimants = this.#claimants.get(tunnelId)
    if (claimants) claimants.add(claimant)
    else this.#claimants.set(tunnelId, new Set([claimant]))
  }

  /** Idempotent. */
  delete(tunnelId: string, claimant: Claimant): void {
    const claimants = this.#claimants.get(tunnelId)
    claimants?.delete(claimant)
    if (claimants?.size === 0) this.#claimants.delete(tunnelId)
  }

  /** Tells whoever lost it. */
  freed(tunnelId: string): void {
    for (const claimant of [...(this.#claimants.get(tunnelId) ?? [])]) claimant.freed(tunnelId)
  }
}
