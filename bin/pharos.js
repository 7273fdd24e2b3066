#!/usr/bin/env node
// The `pharos` command of a clone: brings what is missing, then runs.
import { launch } from '../scripts/launch.js'

await launch(process.argv.slice(2))
