import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import { useLanguage } from '../i18n/language.tsx'

export interface Line {
  label: string
  /** One for each moment; null where nothing is known. */
  values: readonly (number | null)[]
}

const heightPx = 200
/** The highest value does not touch the frame. */
const headroom = 1.1
/** Room for the longest label of the left axis: `1,023.9 MiB`. */
const axisWidthPx = 72
/** Room for a time and a gap. */
const timeLabelPx = 64

/** Values over time. `at`: seconds since 1970. What it shows under the pointer is also in its legend. */
export function LineChart({
  at,
  series,
  show,
  atLeast,
  label,
}: {
  at: readonly number[]
  series: readonly Line[]
  show(value: number): string
  /** Where the upper end of the axis is at least: noise must not look like load. */
  atLeast: number
  label: string
}) {
  const place = useRef<HTMLDivElement>(null)
  const { language, timeZone } = useLanguage()
  const format = useRef(show)
  format.current = show

  useEffect(() => {
    const element = place.current
    if (!element) return
    const draw = (): uPlot => {
      const colour = (name: string): string => getComputedStyle(element).getPropertyValue(`--${name}`).trim()
      const lines = ['accent', 'warn'] as const
      const axis = { stroke: colour('muted'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } }
      return new uPlot(
        {
          width: element.clientWidth,
          height: heightPx,
          cursor: { points: { size: 6 } },
          legend: { live: true },
          scales: { y: { range: (_plot, _least, most) => [0, Math.max(most * headroom, atLeast)] } },
          axes: [
            { ...axis, space: timeLabelPx, values: (_plot, moments) => labelsOf(moments, language, timeZone) },
            {
              ...axis,
              size: axisWidthPx,
              values: (_plot, values) => values.map((value) => format.current(value)),
            },
          ],
          series: [
            {
              value: (_plot, moment: number | null) =>
                moment === null ? '' : new Date(moment * 1000).toLocaleString(language, { timeZone }),
            },
            ...series.map((line, index) => ({
              label: line.label,
              stroke: colour(lines[index] ?? 'ink'),
              width: 1.5,
              ...(index === 0 ? { fill: `color-mix(in oklch, ${colour('accent')} 15%, transparent)` } : {}),
              value: (_plot: uPlot, value: number | null) => (value === null ? '–' : format.current(value)),
            })),
          ],
        },
        [[...at], ...series.map(({ values }) => [...values])],
        element,
      )
    }
    let plot = draw()
    const again = (): void => {
      plot.destroy()
      plot = draw()
    }
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: heightPx }))
    resized.observe(element)
    const repainted = new MutationObserver(again)
    repainted.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      resized.disconnect()
      repainted.disconnect()
      plot.destroy()
    }
  }, [at, series, atLeast, language, timeZone])

  const newest = series
    .map(({ label: name, values }) => {
      const last = values.findLast((value) => value !== null)
      return last === undefined || last === null ? '' : `${name}: ${show(last)}`
    })
    .filter(Boolean)
    .join(', ')
  return <div ref={place} role="img" aria-label={`${label}. ${newest}`} className="min-w-0 overflow-hidden text-xs" />
}

/** Times within a day, dates beyond. */
function labelsOf(moments: readonly number[], language: string, timeZone: string | undefined): string[] {
  const span = (moments.at(-1) ?? 0) - (moments[0] ?? 0)
  const options: Intl.DateTimeFormatOptions =
    span > 86_400 ? { day: 'numeric', month: 'short' } : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
  return moments.map((moment) => new Date(moment * 1000).toLocaleString(language, { ...options, timeZone }))
}
