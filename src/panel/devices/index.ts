export { createDevices, type Devices } from './devices.ts'
export { deviceRoutes, discoveryRoutes } from './routes.ts'
