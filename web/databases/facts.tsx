import type { ReactNode } from 'react'

/** What somebody enters elsewhere: name and value, below each other where there is little room. */
export function Facts({ facts }: { facts: readonly (readonly [label: string, value: ReactNode])[] }) {
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1 max-sm:grid-cols-1 max-sm:gap-y-2">
      {facts.map(([label, value]) => (
        <div key={label} className="col-span-full grid items-center sm:min-h-8 sm:grid-cols-subgrid">
          <dt className="text-muted">{label}</dt>
          <dd className="wrap-anywhere min-w-0">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
