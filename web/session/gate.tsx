import { type ReactNode, useEffect } from 'react'
import { useText } from '../i18n/language.tsx'
import { sessionText } from './text.ts'

/** A page for somebody who is not signed in: one card in the middle. */
export function Gate({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) {
  const t = useText(sessionText)
  useEffect(() => {
    document.title = `${title} · Pharos`
  }, [title])
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-md">
        <div className="mb-6 grid justify-items-center gap-1 text-center">
          <img src="/lighthouse.svg" alt="" className="size-12" />
          <p className="font-semibold text-lg">Pharos</p>
          <p className="text-muted">{t.tagline}</p>
        </div>
        <div className="rounded-xl border border-line bg-surface p-6 shadow-sm">
          <h1 className="font-semibold text-base">{title}</h1>
          {hint && <p className="mt-1 text-muted">{hint}</p>}
          <div className="mt-5">{children}</div>
        </div>
      </div>
    </main>
  )
}
