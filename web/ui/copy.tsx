import { Check, Copy as CopyIcon, Eye, EyeOff } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { IconButton } from './button.tsx'
import { classNames } from './class-names.ts'
import { uiText } from './text.ts'

const shownMs = 1_500

/** Copies `text`. */
export function CopyButton({ text, label, small = true }: { text: string; label?: string; small?: boolean }) {
  const t = useText(uiText)
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), shownMs)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = async (): Promise<void> => {
    await writeClipboard(text)
    setCopied(true)
  }
  return (
    <>
      <IconButton
        small={small}
        icon={copied ? Check : CopyIcon}
        label={copied ? t.copied : (label ?? t.copy)}
        onClick={() => void copy()}
      />
      <span role="status" className="sr-only">
        {copied ? t.copied : ''}
      </span>
    </>
  )
}

/** A value to take along: an address, a key, a command. `secret` hides it until somebody asks. */
export function Copyable({ text, secret = false, className }: { text: string; secret?: boolean; className?: string }) {
  const t = useText(uiText)
  const [shown, setShown] = useState(!secret)
  return (
    <span className={classNames('inline-flex min-w-0 max-w-full items-center gap-1', className)}>
      <code className="min-w-0 truncate font-mono text-[13px]" title={shown ? text : undefined}>
        {shown ? text : '•'.repeat(12)}
      </code>
      {secret && (
        <IconButton
          small
          icon={shown ? EyeOff : Eye}
          label={shown ? t.hide : t.reveal}
          onClick={() => setShown(!shown)}
        />
      )}
      <CopyButton text={text} />
    </span>
  )
}

/** Some lines to paste into a terminal. */
export function CommandBlock({ text }: { text: string }) {
  return (
    <div className="flex min-w-0 items-start gap-2 rounded-lg border border-line bg-sunken py-2 pr-1.5 pl-3">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0} className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-[13px] leading-5">
        {text}
      </pre>
      <CopyButton text={text} />
    </div>
  )
}

/** Pages that are not reached over HTTPS or on this machine have no clipboard: there a hidden field does it. */
async function writeClipboard(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text)
  const field = document.createElement('textarea')
  field.value = text
  field.style.position = 'fixed'
  field.style.opacity = '0'
  document.body.append(field)
  field.select()
  document.execCommand('copy')
  field.remove()
}
