import { SendHorizontal } from 'lucide-react'
import { type FormEvent, type KeyboardEvent, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from '../ui/button.tsx'
import { Input } from '../ui/field.tsx'
import { consoleText } from './text.ts'

const historyMax = 100
const commandLengthMax = 4096

/** Where commands are typed; those of this server are remembered in this browser. */
export function CommandLine({
  serverId,
  unavailable,
  onSend,
}: {
  serverId: string
  unavailable: string | null
  /** False: it could not be sent, and stays in the line. */
  onSend(command: string): boolean
}) {
  const t = useText(consoleText)
  const key = `pharos.commands.${serverId}`
  const [history, setHistory] = useState(() => read(key))
  /** Counted from the newest; null while something new is typed. */
  const [position, setPosition] = useState<number | null>(null)
  const [draft, setDraft] = useState('')
  const [command, setCommand] = useState('')

  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (unavailable !== null || command === '' || !onSend(command)) return
    const next = [...history.filter((each) => each !== command), command].slice(-historyMax)
    localStorage.setItem(key, JSON.stringify(next))
    setHistory(next)
    setPosition(null)
    setCommand('')
  }
  const recall = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
    event.preventDefault()
    const next = (position ?? -1) + (event.key === 'ArrowUp' ? 1 : -1)
    if (next >= history.length) return
    if (position === null) setDraft(command)
    setPosition(next < 0 ? null : next)
    setCommand(next < 0 ? draft : (history.at(-1 - next) ?? ''))
  }
  return (
    <form onSubmit={submit} className="flex gap-2">
      <Input
        aria-label={t.label}
        placeholder={unavailable ?? t.placeholder}
        value={command}
        maxLength={commandLengthMax}
        disabled={unavailable !== null}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        onKeyDown={recall}
        onChange={(event) => setCommand(event.target.value)}
        className="font-mono text-[13px]"
      />
      <Button type="submit" kind="primary" icon={SendHorizontal} unavailable={unavailable}>
        <span className="max-sm:sr-only">{t.send}</span>
      </Button>
    </form>
  )
}

function read(key: string): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(key) ?? '[]')
    return Array.isArray(kept) ? kept.filter((each) => typeof each === 'string') : []
  } catch {
    return []
  }
}
