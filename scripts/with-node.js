#!/usr/bin/env node
// Runs a script on the Node that the product needs, with everything for development installed.
import { runWithNode } from './launch.js'

await runWithNode(process.argv.slice(2))
