import { useState } from 'react'

/**
 * For a dialog that no trigger of its own opens: gives the focus back to what had it when the dialog was first drawn. Of an entry of a menu that is
 * the menu's button, since the entry is gone by then; and where the button is gone as well, what the page shows.
 */
export function useReturnFocus(): (event: Event) => void {
  const [opener] = useState(openerNow)
  return (event) => {
    event.preventDefault()
    const target = opener?.isConnected ? opener : document.getElementById('content')
    target?.focus({ preventScroll: true })
  }
}

function openerNow(): HTMLElement | null {
  const active = document.activeElement
  const menu = active?.closest('[role="menu"]')
  const found = menu ? document.getElementById(menu.getAttribute('aria-labelledby') ?? '') : active
  return found instanceof HTMLElement && found !== document.body ? found : null
}
