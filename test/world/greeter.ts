import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A game that greets its visitors in the name of its file `name.txt`, says every line that it is told, and obeys `stop` and `crash`. */
const greeter = {
  id: 'game',
  name: 'Game',
  summary: 'Greets its visitors',
  protocols: ['tcp'],
  resources: { memory: 256, disk: 2000, cpu: 1 },
  start: {
    command: [
      'node',
      '-e',
      `const s = require('net').createServer((c) => c.end('hello from ' + require('fs').readFileSync('name.txt', 'utf8')))
s.listen(process.env.SERVER_PORT, () => console.log('up'))
require('readline').createInterface({ input: process.stdin }).on('line', (l) => l === 'stop' ? process.exit(0) : l === 'crash' ? process.exit(3) : console.log('heard ' + l))`,
    ],
    ready: 'up',
  },
  files: [{ path: 'name.txt', content: 'nobody', once: true }],
  stop: { by: 'command', command: 'stop' },
  stopTimeoutSeconds: 20,
}

/** Adds that game to a panel's folder of templates, as `game`. */
export async function addGreeter(templatesDir: string): Promise<void> {
  await mkdir(join(templatesDir, greeter.id), { recursive: true })
  // YAML contains JSON.
  await writeFile(join(templatesDir, greeter.id, 'template.yaml'), JSON.stringify(greeter))
}
