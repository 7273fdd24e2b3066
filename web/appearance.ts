/** How the pages look: as the system does, unless somebody chose. Kept in this browser alone. */
export const appearances = ['system', 'light', 'dark'] as const
export type Appearance = (typeof appearances)[number]

const key = 'pharos.appearance'
const systemIsLight = window.matchMedia('(prefers-color-scheme: light)')

export function chosenAppearance(): Appearance {
  const kept = localStorage.getItem(key)
  return appearances.find((appearance) => appearance === kept) ?? 'system'
}

export function chooseAppearance(appearance: Appearance): void {
  localStorage.setItem(key, appearance)
  apply()
}

function apply(): void {
  const chosen = chosenAppearance()
  document.documentElement.dataset['theme'] = chosen === 'system' ? (systemIsLight.matches ? 'light' : 'dark') : chosen
}

// A module of its own, loaded first: nobody sees the wrong colours.
apply()
systemIsLight.addEventListener('change', apply)
