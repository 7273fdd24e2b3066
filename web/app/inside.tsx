import { UploadsProvider } from '../files/uploads/uploads.tsx'
import { Shell } from './shell.tsx'

/** Everything of somebody who is signed in. What they upload goes on while they look around, and ends when they leave. */
export const Inside = () => (
  <UploadsProvider>
    <Shell />
  </UploadsProvider>
)
