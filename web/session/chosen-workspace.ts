const key = 'pharos.workspace'

/** The workspace that this browser looks at, by slug; null until somebody chose: the panel then takes the account's first. */
export const chosenWorkspace = (): string | null => localStorage.getItem(key)

export function chooseWorkspace(slug: string): void {
  localStorage.setItem(key, slug)
}
