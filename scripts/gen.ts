// `npm run gen`: writes what is generated and committed. Tests fail when running it would change anything.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openApiDocument } from '../src/panel/document/index.ts'
import { root } from './steps.ts'

await writeFile(join(root, 'docs', 'openapi.json'), `${JSON.stringify(openApiDocument(), null, 2)}\n`)
