import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language'
import { highlightSelectionMatches, openSearchPanel, search, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, type Text } from '@codemirror/state'
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { languageOf } from './languages.ts'

export interface CodeEditorOptions {
  /** Tells what it is written in. */
  name: string
  content: string
  /** What the field is called. */
  label: string
  readOnly: boolean
  wrap: boolean
  phrases: Readonly<Record<string, string>>
  /** Whether there is something that is not saved. */
  onDirty(dirty: boolean): void
  onSave(): void
}

export interface CodeEditor extends Disposable {
  /** Byte for byte what was given, where nothing was changed: line ends stay as they are. */
  content(): string
  /** Everything that is in it now counts as saved. Called with what was sent: more may have been typed since. */
  saved(content: string): void
  /** Shows another content, which counts as saved. The cursor stays about where it is. */
  replace(content: string): void
  wrap(on: boolean): void
  find(): void
  focus(): void
}

/** A text editor in `place`, until disposed of. */
export function createCodeEditor(place: HTMLElement, options: CodeEditorOptions): CodeEditor {
  const wrapping = new Compartment()
  const breaks = new Compartment()
  const { name, content, label, readOnly, onDirty, onSave } = options
  let savedText: Text | undefined
  let dirty = false
  const tell = (view: EditorView): void => {
    const next = savedText !== undefined && !view.state.doc.eq(savedText)
    if (next !== dirty) onDirty(next)
    dirty = next
  }
  const view = new EditorView({
    parent: place,
    state: EditorState.create({
      doc: toText(content),
      extensions: [
        breaks.of(EditorState.lineSeparator.of(lineBreakOf(content))),
        wrapping.of(options.wrap ? EditorView.lineWrapping : []),
        EditorState.readOnly.of(readOnly),
        EditorState.tabSize.of(4),
        EditorState.allowMultipleSelections.of(true),
        EditorState.phrases.of(options.phrases),
        EditorView.contentAttributes.of({ 'aria-label': label, ...(readOnly ? { 'aria-readonly': 'true' } : {}) }),
        indentUnit.of('  '),
        lineNumbers(),
        foldGutter(),
        // Also what turns text around or hides it: it is shown as a mark.
        highlightSpecialChars({
          addSpecialChars: /[\u00a0\u2000-\u200a\u202f\u205f\u3000\u2061-\u2064\u{e0000}-\u{e007f}]/u,
        }),
        history(),
        drawSelection(),
        dropCursor(),
        indentOnInput(),
        bracketMatching(),
        rectangularSelection(),
        crosshairCursor(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSelectionMatches(),
        search({ top: true }),
        syntaxHighlighting(colours),
        looks,
        languageOf(name)?.support() ?? [],
        keymap.of([
          {
            key: 'Mod-s',
            preventDefault: true,
            run() {
              onSave()
              return true
            },
          },
          ...defaultKeymap,
          ...historyKeymap,
          ...foldKeymap,
          ...searchKeymap,
          indentWithTab,
        ]),
        EditorView.updateListener.of(({ docChanged, view: changed }) => {
          if (docChanged) tell(changed)
        }),
      ],
    }),
  })
  savedText = view.state.doc
  return {
    content: () => view.state.sliceDoc(),
    saved(sent) {
      savedText = view.state.toText(sent)
      tell(view)
    },
    replace(next) {
      view.dispatch({ effects: breaks.reconfigure(EditorState.lineSeparator.of(lineBreakOf(next))) })
      const text = view.state.toText(next)
      const at = Math.min(view.state.selection.main.head, text.length)
      savedText = text
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, selection: { anchor: at } })
      tell(view)
    },
    wrap: (on) => view.dispatch({ effects: wrapping.reconfigure(on ? EditorView.lineWrapping : []) }),
    find() {
      openSearchPanel(view)
    },
    focus: () => view.focus(),
    [Symbol.dispose]: () => view.destroy(),
  }
}

/** One kind of line end in all of it, or `\n`: then carriage returns stay where they are, as characters. */
const lineBreakOf = (content: string): '\n' | '\r\n' =>
  content.includes('\r\n') && !/(?<!\r)\n|\r(?!\n)/.test(content) ? '\r\n' : '\n'

const toText = (content: string): Text =>
  EditorState.create({ extensions: EditorState.lineSeparator.of(lineBreakOf(content)) }).toText(content)

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--accent-text)' },
  {
    tag: [
      tags.propertyName,
      tags.definition(tags.propertyName),
      tags.definition(tags.variableName),
      tags.attributeName,
    ],
    color: 'var(--accent-text)',
  },
  { tag: [tags.tagName, tags.typeName, tags.className, tags.heading], color: 'var(--accent-text)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string), tags.quote, tags.attributeValue], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.atom, tags.null, tags.literal], color: 'var(--warn)' },
  { tag: [tags.comment, tags.meta], color: 'var(--muted)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--bad)' },
])

const looks = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface)', color: 'var(--ink)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono, ui-monospace, Menlo, monospace)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--ink)' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--muted)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in oklch, var(--accent) 8%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--line)', color: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in oklch, var(--accent) 35%, transparent)',
  },
  '.cm-selectionMatch': { backgroundColor: 'color-mix(in oklch, var(--accent) 20%, transparent)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'var(--accent-soft)',
    outline: '1px solid var(--accent)',
  },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'color-mix(in oklch, var(--warn) 45%, transparent)' },
  '.cm-specialChar': { color: 'var(--bad)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--sunken)', borderColor: 'var(--line)', color: 'var(--muted)' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--ink)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--line)' },
  '.cm-panel.cm-search': { padding: '8px 40px 8px 8px' },
  '.cm-panel.cm-search input, .cm-panel.cm-search button, .cm-panel.cm-search label': {
    fontSize: '13px',
    minHeight: '28px',
    margin: '2px 6px 2px 0',
  },
  '.cm-panel.cm-search label': { display: 'inline-flex', alignItems: 'center', gap: '4px' },
  '.cm-panel.cm-search input[type=checkbox]': { width: '18px', minHeight: '18px', margin: '0' },
  '.cm-textfield': {
    backgroundColor: 'var(--canvas)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
    padding: '2px 8px',
  },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--surface)',
    border: '1px solid var(--line)',
    borderRadius: '6px',
  },
  '.cm-panel.cm-search [name=close]': { color: 'var(--ink)', fontSize: '18px', minWidth: '28px', margin: '4px' },
})
