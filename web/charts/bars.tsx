import { useId, useState } from 'react'

export interface Bar {
  key: string
  /** What it stands for: a day. */
  label: string
  value: number
  text: string
}

/** Values side by side, such as one for each day. The figures can be read without seeing it: it is a list. */
export function Bars({ bars, caption }: { bars: readonly Bar[]; caption: string }) {
  const id = useId()
  const [over, setOver] = useState<Bar | null>(null)
  const most = Math.max(...bars.map(({ value }) => value), 1)
  const shown = over ?? bars.at(-1)
  return (
    <figure aria-labelledby={id}>
      <figcaption id={id} className="mb-3 flex flex-wrap justify-between gap-2 text-muted">
        <span>{caption}</span>
        {shown && (
          <span aria-hidden className="text-ink tabular-nums">
            {shown.label}: {shown.text}
          </span>
        )}
      </figcaption>
      <ul className="flex h-40 items-end gap-px border-line border-b sm:gap-0.5">
        {bars.map((bar) => (
          <li
            key={bar.key}
            onPointerEnter={() => setOver(bar)}
            onPointerLeave={() => setOver(null)}
            className="flex h-full min-w-0 flex-1 items-end rounded-t hover:bg-sunken"
          >
            <span className="sr-only">
              {bar.label}: {bar.text}
            </span>
            <span
              aria-hidden
              className="block w-full rounded-t-sm bg-accent"
              style={{ height: bar.value === 0 ? '0' : `max(2px, ${(bar.value / most) * 100}%)` }}
            />
          </li>
        ))}
      </ul>
      <div aria-hidden className="mt-1.5 flex justify-between text-muted text-xs">
        <span>{bars[0]?.label}</span>
        <span>{bars.at(-1)?.label}</span>
      </div>
    </figure>
  )
}
