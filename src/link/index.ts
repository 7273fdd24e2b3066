// What the other folders use of the link. Everything else in here is its own affair.
export { type Link, type LinkEnd, LinkError, type LinkErrorCode, type LinkEvents, type LinkStream } from './link.ts'
