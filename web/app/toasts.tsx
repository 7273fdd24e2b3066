import { lazy, Suspense, useEffect, useState } from 'react'
import { onToast, type Toast } from '../ui/toast.ts'

const Toaster = lazy(() => import('./toaster.tsx').then(({ Toaster }) => ({ default: Toaster })))

/** What is said in a corner. What draws it is loaded for the first of them: the first page stands earlier without. */
export function Toasts() {
  const [all, setAll] = useState<readonly Toast[]>([])
  useEffect(() => onToast((toast) => setAll((before) => [...before, toast])), [])
  return (
    all.length > 0 && (
      <Suspense>
        <Toaster toasts={all} />
      </Suspense>
    )
  )
}
