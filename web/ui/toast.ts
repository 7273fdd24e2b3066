/** Something said in a corner of the page. */
export interface Toast {
  readonly how: 'success' | 'error' | 'info'
  readonly text: string
}

const corner = new EventTarget()
const said = 'said'

const say =
  (how: Toast['how']) =>
  (text: string): void => {
    corner.dispatchEvent(new CustomEvent<Toast>(said, { detail: { how, text } }))
  }

/** Says it, as soon as what draws it is there. */
export const toast = { success: say('success'), error: say('error'), info: say('info') }

/** Whoever draws them hears of each; returns how to stop. */
export function onToast(listener: (toast: Toast) => void): () => void {
  const heard = (event: Event): void => listener((event as CustomEvent<Toast>).detail)
  corner.addEventListener(said, heard)
  return () => corner.removeEventListener(said, heard)
}
