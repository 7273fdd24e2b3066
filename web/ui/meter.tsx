import { classNames } from './class-names.ts'

/** Above this share a limit is near; what is at it is full. */
const nearShare = 0.85

/** How much of a limit is used. */
export function Meter({ value, max, label, text }: { value: number; max: number; label: string; text: string }) {
  const share = max > 0 ? Math.min(value / max, 1) : 0
  return (
    <div className="min-w-0">
      {/* biome-ignore lint/a11y/useSemanticElements: browsers paint <meter> in colours of their own */}
      <div
        role="meter"
        aria-label={label}
        aria-valuenow={Math.round(share * 100)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={text}
        className="h-1.5 overflow-hidden rounded-full bg-line"
      >
        <div
          className={classNames(
            'h-full rounded-full transition-[width]',
            share >= 1 ? 'bg-bad' : share >= nearShare ? 'bg-warn' : 'bg-accent',
          )}
          style={{ width: `${share * 100}%` }}
        />
      </div>
    </div>
  )
}
