import { z } from 'zod'
import { createLog } from '../../../lib/log.ts'
import { command, instanceFlags, instanceOptions } from '../../command.ts'
import { facts } from '../../output.ts'

export const restoreInstance = command({
  path: 'restore',
  summary: 'Put an instance back as a file of "pharos backup" has it; nothing may run on the data folder',
  description:
    'The whole backup is read and checked before anything is replaced. What was in the data folder is kept beside, in before-restore-<time>; files of servers stay where they are.',
  args: [['<file>', 'what "pharos backup" wrote']],
  flags: [['--replace', 'also where an instance is already'], ...instanceFlags],
  examples: [
    'pharos restore pharos-2026-11-22T05-30-00Z.zip',
    'pharos restore pharos.zip --data-dir /var/lib/pharos --replace',
  ],
  options: z.object({ file: z.string().min(1), replace: z.boolean().default(false), ...instanceOptions }),
  async run({ file, replace, ...flags }, { instance, out, path, now }) {
    const { restore } = await import('../../../instance/index.ts')
    const { dataDir, databaseUrl } = await instance(flags)
    const done = await restore({
      file: path(file),
      dataDir,
      databaseUrl,
      replace,
      now: now(),
      log: createLog({ level: 'error', name: 'restore' }),
      say: (line) => out.progress(line),
    })
    out.progress(null)
    out.result({ ...done, createdAt: new Date(done.createdAt).toISOString() }, () =>
      facts([
        ['restored', done.dataDir],
        ['as of', `${new Date(done.createdAt).toISOString()}, Pharos ${done.pharos}`],
        ['files', String(done.files)],
        ['replaced', done.kept === null ? null : `kept in ${done.kept}`],
      ]),
    )
  },
})
