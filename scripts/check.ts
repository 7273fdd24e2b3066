// `npm run check`: everything that can be said about the sources without running the product.
import { architecture, documentDrift, documentLint, lint, runSteps, types, unused, webTypes } from './steps.ts'

const failed = await runSteps([types, webTypes, lint, architecture, documentDrift, documentLint, unused])
if (failed.length > 0) {
  console.log(`\n${failed.length} failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
