import '@xterm/xterm/css/xterm.css'
import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { type ITheme, Terminal } from '@xterm/xterm'
import type { ConsoleLine } from './feed.ts'
import { harmless } from './harmless.ts'
import { styledText } from './styled-text.ts'

/** Lines that can be scrolled back to. */
const scrollbackLines = 5_000
/** Lines written in one frame: what a fast machine draws without a visible pause. */
const linesPerFrame = 1_500

export interface ConsoleView extends Disposable {
  add(lines: readonly ConsoleLine[]): void
  /** Writes everything again, with times or without. */
  showTimes(show: boolean): void
  clear(): void
  search(text: string, direction: 'next' | 'previous'): boolean
  toBottom(): void
  /** Colours follow the page. */
  repaint(): void
}

/**
 * A read-only terminal in `element`. However fast lines come, a frame takes only so many; what would scroll away unseen is left out. With the focus,
 * the keys that scroll a page scroll it; every other key, Tab first of all, is the page's.
 */
export function createConsoleView(element: HTMLElement, label: string, clock: (at: string) => string): ConsoleView {
  const terminal = new Terminal({
    disableStdin: true,
    convertEol: true,
    cursorStyle: 'underline',
    cursorInactiveStyle: 'none',
    cursorBlink: false,
    scrollback: scrollbackLines,
    fontSize: 13,
    lineHeight: 1.25,
    fontFamily: "ui-monospace, 'SF Mono', 'Cascadia Code', 'DejaVu Sans Mono', Menlo, monospace",
    theme: themeOf(element),
    screenReaderMode: true,
    // Links in a game's output lead nowhere by a click.
    linkHandler: { activate: () => undefined },
    minimumContrastRatio: 4.5,
  })
  const fit = new FitAddon()
  const search = new SearchAddon()
  terminal.loadAddon(fit)
  terminal.loadAddon(search)
  terminal.open(element)
  terminal.textarea?.setAttribute('aria-label', label)
  terminal.attachCustomKeyEventHandler((event) => {
    const scroll = event.ctrlKey || event.altKey || event.metaKey ? undefined : scrolls[event.key]
    if (scroll && event.type === 'keydown') {
      event.preventDefault()
      scroll(terminal)
    }
    return false // The terminal itself would take Tab and Ctrl-K as something typed, and let nobody out.
  })
  const resized = new ResizeObserver(() => {
    if (element.clientWidth > 0) fit.fit()
  })
  resized.observe(element)

  const kept: ConsoleLine[] = []
  let waiting: ConsoleLine[] = []
  let frame = 0
  let times = false

  const textOf = ({ at, text, styles }: ConsoleLine): string => {
    const line = `${styledText(harmless(text), styles)}\u001b[0m`
    return times && at !== null ? `\u001b[90m${clock(at)}\u001b[0m ${line}` : line
  }
  const draw = (): void => {
    frame = 0
    const now = waiting.splice(0, linesPerFrame)
    terminal.write(now.map((line) => `${textOf(line)}\n`).join(''))
    if (waiting.length > 0) frame = requestAnimationFrame(draw)
  }
  const enqueue = (lines: readonly ConsoleLine[]): void => {
    waiting.push(...lines)
    if (waiting.length > scrollbackLines) waiting = waiting.slice(-scrollbackLines)
    if (frame === 0) frame = requestAnimationFrame(draw)
  }

  return {
    add(lines) {
      kept.push(...lines)
      if (kept.length > scrollbackLines) kept.splice(0, kept.length - scrollbackLines)
      enqueue(lines)
    },
    showTimes(show) {
      if (show === times) return
      times = show
      waiting = []
      terminal.reset()
      enqueue([...kept])
    },
    clear() {
      kept.length = 0
      waiting = []
      terminal.reset()
    },
    search: (text, direction) =>
      text !== '' && (direction === 'next' ? search.findNext(text) : search.findPrevious(text)),
    toBottom: () => terminal.scrollToBottom(),
    repaint() {
      terminal.options.theme = themeOf(element)
    },
    [Symbol.dispose]() {
      cancelAnimationFrame(frame)
      resized.disconnect()
      terminal.dispose()
    },
  }
}

/** What the keys do that scroll. */
const scrolls: Readonly<Record<string, (terminal: Terminal) => void>> = {
  ArrowUp: (terminal) => terminal.scrollLines(-1),
  ArrowDown: (terminal) => terminal.scrollLines(1),
  PageUp: (terminal) => terminal.scrollPages(-1),
  PageDown: (terminal) => terminal.scrollPages(1),
  Home: (terminal) => terminal.scrollToTop(),
  End: (terminal) => terminal.scrollToBottom(),
}

/** The terminal draws by itself: it is told the colours of the page. */
function themeOf(element: HTMLElement): ITheme {
  const style = getComputedStyle(element)
  const light = document.documentElement.dataset['theme'] === 'light'
  return {
    background: rgb(style.backgroundColor),
    foreground: rgb(style.color),
    cursor: rgb(style.backgroundColor),
    selectionBackground: light ? '#9cc3f7' : '#2f5d95',
    ...(light ? lightColours : darkColours),
  }
}

/** Any colour of CSS as `#rrggbb`, as the browser would paint it: the terminal knows no others. */
function rgb(colour: string): string {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d')
  if (!context) return '#000000'
  context.fillStyle = colour
  context.fillRect(0, 0, 1, 1)
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data
  return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

const darkColours: ITheme = {
  black: '#5b6673',
  red: '#ff7b72',
  green: '#5fd38a',
  yellow: '#f2c94c',
  blue: '#79b8ff',
  magenta: '#d2a8ff',
  cyan: '#56d4dd',
  white: '#d5dde6',
  brightBlack: '#8b98a7',
  brightRed: '#ffa198',
  brightGreen: '#7ee2a8',
  brightYellow: '#ffe08a',
  brightBlue: '#a5d0ff',
  brightMagenta: '#e2c5ff',
  brightCyan: '#8ae6ec',
  brightWhite: '#ffffff',
}
const lightColours: ITheme = {
  black: '#1f2933',
  red: '#b42318',
  green: '#0b6b3a',
  yellow: '#7a5200',
  blue: '#0b5cad',
  magenta: '#7a2ea0',
  cyan: '#0b6670',
  white: '#4a5764',
  brightBlack: '#5a6774',
  brightRed: '#c4320a',
  brightGreen: '#147a45',
  brightYellow: '#8a5d00',
  brightBlue: '#1769c2',
  brightMagenta: '#8b3bb4',
  brightCyan: '#0f7580',
  brightWhite: '#1f2933',
}
