import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ChevronLeft, Download } from 'lucide-react'
import type { ReactNode } from 'react'
import { errorText } from '../api/error-text.ts'
import { useText } from '../i18n/language.tsx'
import { buttonClass, IconButton } from '../ui/button.tsx'
import { Tip } from '../ui/tip.tsx'
import { toast } from '../ui/toast.ts'
import { Breadcrumb } from './breadcrumb.tsx'
import { download } from './download.ts'
import { editorText } from './editor/text.ts'
import { visible } from './file-name.tsx'
import { parentOf } from './paths.ts'
import { filesText } from './text.ts'

/** What stands above every opened file: where it is, how it is, and what can be done with it. */
export function ViewFrame({
  serverId,
  path,
  state,
  actions,
  children,
}: {
  serverId: string
  path: string
  state?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  const t = useText(editorText)
  const files = useText(filesText)
  const queries = useQueryClient()
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="flex min-w-0 flex-wrap items-center gap-x-2">
          <Tip text={t.back}>
            <Link
              to="/servers/$serverId/files"
              params={{ serverId }}
              search={{ path: parentOf(path) }}
              aria-label={t.back}
              className={buttonClass('quiet', true, true)}
            >
              <ChevronLeft aria-hidden className="size-4" />
            </Link>
          </Tip>
          <Breadcrumb serverId={serverId} path={path} />
          <span className="flex items-center gap-2 px-1.5" role="status">
            {state}
          </span>
        </div>
        <div className="ml-auto flex flex-wrap items-center gap-2">
          <IconButton
            label={files.download}
            icon={Download}
            onClick={() =>
              void download(queries, serverId, path).catch((reason: unknown) => toast.error(visible(errorText(reason))))
            }
          />
          {actions}
        </div>
      </div>
      {children}
    </div>
  )
}
