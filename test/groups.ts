import { globSync } from 'node:fs'
import { join, sep } from 'node:path'

const root = join(import.meta.dirname, '..')

/**
 * Test files that share a process: to start one and to load the product into it costs most of them more than their tests do, and one
 * PostgreSQL does for all. Each is a suite of its own, so that its hooks begin and end with it, and still runs alone by its name.
 *
 * For what is a guest in its process only. Apart stay those that start or kill processes, that look at their own (memory, signals,
 * timers, what is left open), and the long ones.
 */
export const groups = {
  contract: {
    files: ['src/{agent,cli,client,contract,http,lib,mcp,roles,settings}/**/*.test.ts', 'test/web/*.test.ts'],
    apart: [
      'src/agent/forward.test.ts',
      'src/cli/completion/completion.test.ts',
      'src/cli/names/names.test.ts',
      'src/contract/openapi.test.ts',
      'src/lib/garbage.test.ts',
    ],
  },
  edge: {
    files: ['src/edge/**/*.test.ts'],
    apart: ['src/edge/folder.test.ts', 'src/edge/metering.test.ts', 'src/edge/tls-termination.test.ts'],
  },
  link: { files: ['src/link/**/*.test.ts'], apart: ['src/link/keep.test.ts'] },
  node: {
    files: [
      'src/node/{doorman/judge,files/beneath,files/watch,install/packages,patches/patches,runtime/status-file}.test.ts',
      'src/node/supervisor/{console,console-text,crash-policy,incidents}.test.ts',
      'src/node/watching/{watchdog,watcher,query/query}.test.ts',
    ],
    apart: [],
  },
  people: { files: ['src/panel/{access,accounts,tokens,workspaces}/**/*.test.ts'], apart: [] },
  panel: {
    files: ['src/panel/**/*.test.ts'],
    apart: [
      'src/panel/{access,accounts,tokens,workspaces}/**/*.test.ts',
      'src/panel/rates/rates.test.ts',
      'src/panel/webhooks/webhooks.test.ts',
    ],
  },
  worlds: {
    files: [
      'test/panel/{devices,each-database,edges-of-nodes,events,foreign-edges,health,inspection,invitations}.test.ts',
      'test/panel/{mcp,network,node-versions,nodes,nul,resources,servers,settings,startup,subusers,templates}.test.ts',
      'test/panel/tunnel-rules-of-older-edges.test.ts',
    ],
    apart: [],
  },
  attacks: { files: ['test/attacks/{access,accounts,console,ingress,table,tokens,tunnel-panel}.test.ts'], apart: [] },
} as const satisfies Record<string, { files: readonly string[]; apart: readonly string[] }>

/** The test files of that group, as paths from the project's folder. */
export function filesOf(group: keyof typeof groups): string[] {
  const { files, apart } = groups[group]
  const found = globSync([...files], { cwd: root, exclude: [...apart] })
  return found.map((file) => file.split(sep).join('/')).sort()
}
