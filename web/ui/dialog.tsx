import { X } from 'lucide-react'
import { Dialog as Radix } from 'radix-ui'
import { type FormEvent, type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button, IconButton } from './button.tsx'
import { classNames } from './class-names.ts'
import { Field, Input } from './field.tsx'
import { useReturnFocus } from './return-focus.ts'
import { uiText } from './text.ts'

export interface DialogProps {
  open: boolean
  onOpenChange(open: boolean): void
  title: ReactNode
  description?: ReactNode
  children?: ReactNode
  wide?: boolean
}

/** A window in front of the page; Escape and a click beside it close it. */
export function Dialog({ open, onOpenChange, ...shown }: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      {open && <OpenDialog {...shown} />}
    </Radix.Root>
  )
}

function OpenDialog({ title, description, children, wide = false }: Omit<DialogProps, 'open' | 'onOpenChange'>) {
  const t = useText(uiText)
  const returnFocus = useReturnFocus()
  return (
    <Radix.Portal>
      <Radix.Overlay className="fixed inset-0 z-40 bg-black/55 backdrop-blur-[1px]" />
      <Radix.Content
        {...(description ? {} : { 'aria-describedby': undefined })}
        onOpenAutoFocus={keepOffClose}
        onCloseAutoFocus={returnFocus}
        className={classNames(
          'fixed top-1/2 left-1/2 z-40 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 overflow-y-auto scroll-pt-5 scroll-pb-18 outline-none rounded-xl border border-line bg-raised p-5 shadow-2xl',
          wide ? 'max-w-3xl' : 'max-w-lg',
        )}
      >
        <div className="mb-4 pr-8">
          <Radix.Title className="wrap-anywhere font-semibold text-base">{title}</Radix.Title>
          {description && <Radix.Description className="mt-1 text-muted">{description}</Radix.Description>}
        </div>
        {children}
        {/* The last one, so that the focus begins at what the dialog is about. */}
        <Radix.Close asChild>
          <IconButton
            label={t.close}
            icon={X}
            small
            className="absolute top-4 right-3"
            data-close
            // Its tip would take the first Escape for itself.
            onKeyDown={({ key, currentTarget }) => key === 'Escape' && currentTarget.click()}
          />
        </Radix.Close>
      </Radix.Content>
    </Radix.Portal>
  )
}

/** Where there is nothing to do but to read, or nothing yet, the focus begins at the dialog itself: nobody opens one to close it. */
function keepOffClose(event: Event): void {
  const { currentTarget: content } = event
  if (!(content instanceof HTMLElement) || content.querySelector(focusable)) return
  event.preventDefault()
  content.focus()
}

const focusable = ['a[href]', 'button:not([data-close])', 'input', 'select', 'textarea', '[tabindex="0"]'].join(', ')

/** A form in a dialog: Enter sends it, and it stays open until `onSubmit` has succeeded. */
export function FormDialog({
  onSubmit,
  submit,
  danger = false,
  busy = false,
  disabled = false,
  children,
  ...dialog
}: DialogProps & {
  onSubmit(): void
  submit: string
  danger?: boolean
  busy?: boolean
  disabled?: boolean
}) {
  const t = useText(uiText)
  const form = useRef<HTMLFormElement>(null)
  useComplaintInSight(form, busy)
  const send = (event: FormEvent): void => {
    event.preventDefault()
    if (!busy && !disabled) onSubmit()
  }
  return (
    <Dialog {...dialog}>
      <form ref={form} onSubmit={send} className="grid gap-4" noValidate>
        {children}
        {/* However long the form is, what ends it stays in sight. */}
        <div className="-mx-5 -bottom-5 sticky -mb-5 flex flex-wrap justify-end gap-2 rounded-b-xl border-line border-t bg-raised px-5 py-3">
          <Button onClick={() => dialog.onOpenChange(false)}>{t.cancel}</Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} busy={busy} disabled={disabled}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** In a long form, what was wrong may stand far from the button that was pressed. */
function useComplaintInSight(form: RefObject<HTMLElement | null>, busy: boolean): void {
  const sent = useRef(false)
  useEffect(() => {
    const complaint = sent.current && !busy ? form.current?.querySelector('[role="alert"]') : null
    // Of a field, what was typed and its name too.
    const field = complaint?.parentElement === form.current ? complaint : complaint?.parentElement
    field?.scrollIntoView({ block: 'nearest' })
    sent.current = busy
  }, [form, busy])
}

/** Asks before something that cannot be taken back. With `type`, that word has to be typed. */
export function ConfirmDialog({
  type,
  ...form
}: Omit<Parameters<typeof FormDialog>[0], 'danger' | 'disabled'> & { type?: string }) {
  const t = useText(uiText)
  const [typed, setTyped] = useState('')
  return (
    <FormDialog {...form} danger disabled={type !== undefined && typed !== type}>
      {form.children}
      {type !== undefined && (
        <Field label={t.typeToConfirm(type)}>
          <Input
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            autoComplete="off"
            spellCheck={false}
          />
        </Field>
      )}
    </FormDialog>
  )
}
