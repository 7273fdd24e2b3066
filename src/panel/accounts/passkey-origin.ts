import { isIP } from 'node:net'
import { conflict, unauthorized } from '../../contract/errors.ts'
import type { RequestFacts } from '../../contract/operation.ts'
import { requestOrigin } from '../access/index.ts'

/**
 * The origin to which passkeys are bound: the panel's public one, or that of the page that asks. Throws `conflict` with the
 * reason where browsers have no passkeys.
 */
export function passkeyOrigin(request: Pick<RequestFacts, 'header'>, publicOrigin: string | null): URL {
  const headers = {
    origin: request.header('origin'),
    host: request.header('host'),
    'sec-fetch-site': request.header('sec-fetch-site'),
  }
  const { origin } = headers
  if (origin === undefined || !URL.canParse(origin) || requestOrigin(headers, publicOrigin) !== 'own')
    throw unauthorized("Passkeys work only in a browser, on the panel's own pages")
  if (publicOrigin !== null && origin !== publicOrigin)
    throw conflict(`Passkeys belong to the public address of this panel. Open it as ${publicOrigin} to use them.`)
  const url = new URL(origin)
  if (isIP(url.hostname.replace(/^\[|\]$/g, '')) !== 0)
    throw conflict(
      'Browsers keep passkeys for names, not for addresses of numbers. Open the panel by its name: on its own machine that is localhost.',
    )
  if (url.protocol !== 'https:' && url.hostname !== 'localhost' && !url.hostname.endsWith('.localhost'))
    throw conflict('Browsers have passkeys only on pages with https, and on localhost. Open the panel by https.')
  return url
}
