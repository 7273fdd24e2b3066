/** The secret of the link that was opened: its fragment, which browsers send to nobody. */
export const linkSecret = (): string => decodeURIComponent(location.hash.slice(1))
