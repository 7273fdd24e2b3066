import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { blocked, type Finding, ok } from './finding.ts'

/** What takes longer than this does not come, ms. */
export const waitMs = 10_000

/** Whether the name has an address. */
export async function nameFinding(check: string, host: string): Promise<Finding> {
  const plain = host.replace(/^\[|\]$/g, '')
  if (isIP(plain) !== 0) return ok(check, host, 'is an address')
  const begun = performance.now()
  try {
    const found = await lookup(plain, { all: true })
    const addresses = [...new Set(found.map(({ address }) => address))]
    return ok(check, host, `is ${addresses.join(', ')}`, { ms: performance.now() - begun })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === 'EAI_AGAIN'
      ? blocked(check, host, 'cannot be looked up: no name server answers', {
          next: 'Look at the network of this machine, and at /etc/resolv.conf.',
        })
      : blocked(check, host, 'is no known name', {
          next: 'Check its spelling; if it is new, its DNS record may take some minutes to be seen everywhere.',
        })
  }
}

/** Whether something takes connections there. */
export function portFinding(check: string, host: string, port: number): Promise<Finding> {
  const where = `${host}:${port}`
  const begun = performance.now()
  return new Promise((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port })
    const settle = (finding: Finding): void => {
      clearTimeout(late)
      socket.destroy()
      resolve(finding)
    }
    const late = setTimeout(
      () =>
        settle(
          blocked(check, where, `does not answer within ${waitMs / 1000} s`, {
            next: `A firewall drops it, here or there: let TCP to port ${port} out, or ask who runs it whether it is open.`,
          }),
        ),
      waitMs,
    )
    socket.once('connect', () => settle(ok(check, where, 'takes connections', { ms: performance.now() - begun })))
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(
        error.code === 'ECONNREFUSED'
          ? blocked(check, where, 'refuses connections: nothing listens there', {
              next: 'Check the port; ask who runs it whether it is running.',
            })
          : blocked(check, where, `cannot be reached: ${error.message}`, {
              next: 'Look at the network of this machine, and at its firewall.',
            }),
      ),
    )
  })
}

/** Whether the certificate there is one that this machine trusts. */
export function certificateFinding(check: string, host: string, port: number): Promise<Finding> {
  const begun = performance.now()
  const plain = host.replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connectTls({ host: plain, port, ...(isIP(plain) === 0 && { servername: plain }), timeout: waitMs })
    const settle = (finding: Finding): void => {
      socket.destroy()
      resolve(finding)
    }
    socket.once('secureConnect', () =>
      settle(ok(check, host, 'has a certificate that is trusted', { ms: performance.now() - begun })),
    )
    socket.once('timeout', () =>
      settle(
        blocked(check, host, 'takes connections, but does not speak TLS', {
          next: 'Check the port, or use http:// where it has no TLS.',
        }),
      ),
    )
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(blocked(check, host, `TLS fails: ${error.message}`, { next: tlsAdvice(error.code) })),
    )
  })
}

/** @param code of Node, which are those of OpenSSL */
export function tlsAdvice(code: string | undefined): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'Who runs it must renew its certificate; if the clock of this machine is wrong, set that.'
    case 'CERT_NOT_YET_VALID':
      return 'Set the clock of this machine.'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'The certificate is for another name: check the address.'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'Its authority is not known here. If it is your own, or that of a proxy of your network, name its file in NODE_EXTRA_CA_CERTS.'
    default:
      return 'Check that the port speaks TLS; a proxy of the network may break it.'
  }
}
