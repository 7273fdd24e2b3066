import { Eye, EyeOff } from 'lucide-react'
import { type InputHTMLAttributes, type Ref, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { IconButton } from './button.tsx'
import { Input } from './field.tsx'
import { uiText } from './text.ts'

/** A password, hidden unless somebody wants to see what they type. */
export function PasswordInput(
  props: Omit<InputHTMLAttributes<HTMLInputElement>, 'type'> & { ref?: Ref<HTMLInputElement> },
) {
  const t = useText(uiText)
  const [shown, setShown] = useState(false)
  return (
    <span className="relative block">
      <Input {...props} type={shown ? 'text' : 'password'} autoCapitalize="none" spellCheck={false} className="pr-10" />
      <IconButton
        small
        icon={shown ? EyeOff : Eye}
        label={shown ? t.hideTyped : t.showTyped}
        className="absolute top-0.5 right-0.5"
        onClick={() => setShown(!shown)}
      />
    </span>
  )
}
