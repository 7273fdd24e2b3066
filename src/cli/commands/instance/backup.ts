import { z } from 'zod'
import { command, instanceFlags, instanceOptions } from '../../command.ts'
import { bytes, facts } from '../../output.ts'

export const backUpInstance = command({
  path: 'backup',
  summary: 'Write this instance into one file: database, keys, settings; it may run meanwhile',
  description:
    'Files of servers are not in it: "pharos backups" is for those. The file holds every secret of the instance, so keep it like one.',
  args: [['[file]', 'where to; without it pharos-<time>.zip here']],
  flags: [...instanceFlags],
  examples: ['pharos backup', 'pharos backup /mnt/safe/pharos.zip', 'pharos backup --data-dir /var/lib/pharos --json'],
  options: z.object({ file: z.string().min(1).optional(), ...instanceOptions }),
  async run({ file, ...flags }, { instance, out, path, version, now }) {
    const { backUp, stamp } = await import('../../../instance/index.ts')
    const { dataDir, databaseUrl } = await instance(flags)
    const made = await backUp({
      dataDir,
      databaseUrl,
      file: path(file ?? `pharos-${stamp(now())}.zip`),
      pharos: version,
      now: now(),
      say: (line) => out.progress(line),
    })
    out.progress(null)
    out.result(made, () =>
      facts([
        ['backup', made.file],
        ['size', bytes(made.size)],
        ['files', String(made.files)],
        ['database', made.database],
      ]),
    )
    out.talk('It holds every secret of the instance. Put it back with "pharos restore".')
  },
})
