#!/usr/bin/env node
// `npm start`: from a fresh clone to a running Pharos. What follows `--` goes to `pharos up`.
import { launch } from './launch.js'

await launch(['up', ...process.argv.slice(2)])
