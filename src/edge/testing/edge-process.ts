// An edge in a process of its own, to be killed. The config comes as JSON on stdin; where it listens goes to stdout.
import { text } from 'node:stream/consumers'
import { createLog } from '../../lib/log.ts'
import { EdgeConfig } from '../config.ts'
import { startEdge } from '../edge.ts'

const config = EdgeConfig.parse(JSON.parse(await text(process.stdin)))
const edge = await startEdge(config, { log: createLog({ level: 'warn', name: 'edge' }) })
process.stdout.write(`${JSON.stringify({ httpPort: edge.httpPort, pin: edge.pin })}\n`)
