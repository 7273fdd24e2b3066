/** Text as it is, in a box that scrolls. */
export function CodeBlock({ text }: { text: string }) {
  return (
    <pre
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="max-h-96 overflow-auto rounded-lg border border-line bg-sunken p-3 font-mono text-[13px]"
    >
      {text}
    </pre>
  )
}
