import type { ReactNode } from 'react'

/** What is known of a thing: names and values beside each other, or below each other where there is little room. */
export function Facts({ facts }: { facts: readonly (readonly [label: string, value: ReactNode])[] }) {
  return (
    <dl className="grid gap-x-6 gap-y-2 sm:grid-cols-[auto_minmax(0,1fr)]">
      {facts.map(([label, value]) => (
        <div key={label} className="min-w-0 sm:col-span-2 sm:grid sm:grid-cols-subgrid sm:items-baseline">
          <dt className="text-muted max-sm:text-xs">{label}</dt>
          <dd className="wrap-anywhere min-w-0">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
