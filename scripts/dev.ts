// `npm run dev`: `pharos up` from the sources, restarted when they change, on a data folder of its own; the web UI beside it, on
// a port of its own, changes while one looks.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from './steps.ts'

const dataDir = join(root, 'data', 'dev')
const args = ['--watch', '--watch-preserve-output', join(root, 'src', 'main.ts'), 'up', '--data-dir', dataDir]
const child = spawn(process.execPath, [...args, '--log-level', 'info', ...process.argv.slice(2)], { stdio: 'inherit' })
const web = spawn(process.execPath, [join(root, 'node_modules', 'vite', 'bin', 'vite.js'), join(root, 'web')], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('close', () => web.kill())
child.on('close', (code) => {
  process.exitCode = code ?? 0
})
