// What the panel uses of alerts.
export { Alerts } from './alerts.ts'
