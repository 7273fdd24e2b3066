import { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { newShortId } from '../../lib/ids.ts'
import { type Finding, limited, missing, ok } from './finding.ts'
import { reaches, type Waiting } from './reach.ts'
import { type DoctorRequest, isTo } from './request.ts'

const dayMs = 86_400_000
/** Time enough to renew a certificate by hand, in days. */
const certificateDaysGood = 14

/** What an edge depends on: its panels, its certificate, and (where asked) its public name. */
export async function examineEdge(request: DoctorRequest): Promise<Finding[]> {
  const { settings, checkEdge } = request
  const findings: Finding[] = []
  for (const { host, port } of settings.edgePanels) {
    const refused = await reaches(host, port, request)
    findings.push(
      refused === null
        ? ok('edge-panels', `the panel ${host}:${port} is reached`)
        : missing(
            'edge-panels',
            `the panel ${host}:${port} is not reached (${refused})`,
            'without any panel the edge opens no new tunnels',
            'start it, or let this machine through its firewall',
          ),
    )
  }
  findings.push(...(await certificateFindings(request)))
  if (checkEdge) findings.push(...(await nameFindings(request)))
  else if (isTo(request, 'edge') && isLocal(settings.edgeHost))
    findings.push(
      limited(
        'edge-name',
        `the edge is only known as ${settings.edgeHost}`,
        'tunnels are reached from this machine alone',
        'set edge-host and edge-base to names that lead here, with a wildcard DNS record for edge-base',
      ),
    )
  return findings
}

async function certificateFindings({ settings, machine, now }: DoctorRequest): Promise<Finding[]> {
  const { edgeCertificate: file } = settings
  // A folder of pairs is read by the edge itself, which says what is wrong with each.
  if (file === undefined || (await machine.place(file)).endsWith('folder')) return []
  return [certificateFinding(file, await machine.text(file), now)]
}

/** What a certificate's PEM means at this time. */
export function certificateFinding(file: string, pem: string | null, now: number): Finding {
  const cost = 'visitors cannot reach tunnels by HTTPS'
  const next = 'name its PEM file with edge-certificate, readable by the user that runs Pharos'
  if (pem === null) return missing('certificate', `${file} cannot be read`, cost, next)
  try {
    const certificate = new X509Certificate(pem)
    const days = Math.floor((certificate.validToDate.getTime() - now) / dayMs)
    if (days < 0)
      return missing(
        'certificate',
        `${file} ended ${-days} days ago`,
        cost,
        'renew it; the edge reads it again by itself',
      )
    const found = `${file} holds for ${days} days`
    return days < certificateDaysGood
      ? limited('certificate', found, `then ${cost}`, 'renew it; the edge reads it again by itself')
      : ok('certificate', found)
  } catch {
    return missing('certificate', `${file} holds no certificate`, cost, next)
  }
}

async function nameFindings(request: DoctorRequest): Promise<Finding[]> {
  const { edgeHost, edgeBase, edgeHttpPort, edgeScheme, edgeCertificate } = request.settings
  const findings: Finding[] = []
  const direct = await reaches(edgeHost, edgeHttpPort, request)
  findings.push(
    direct === null
      ? ok('edge-name', `${edgeHost}:${edgeHttpPort} is reached`)
      : missing(
          'edge-name',
          `${edgeHost}:${edgeHttpPort} is not reached (${direct})`,
          'agents of other machines cannot link, unless a proxy passes WebSocket on',
          'start the edge, lead the name here, and open the port in the firewall',
        ),
  )
  const name = `pharos-doctor-${newShortId().toLowerCase()}.${edgeBase}`
  const address = await addressOf(name)
  if (address === null)
    return [
      ...findings,
      missing(
        'edge-names',
        `${name} is not known in the DNS`,
        'no HTTP tunnel is reached by its name',
        `add a wildcard record *.${edgeBase} that leads to the edge`,
      ),
    ]
  const tls = edgeScheme === 'https' || edgeCertificate !== undefined
  // Behind something that ends TLS visitors come by the usual port; else by the edge's own.
  const port = tls && edgeCertificate === undefined ? 443 : edgeHttpPort
  findings.push(await answerFinding({ name, address, port, tls }, request))
  return findings
}

/** Names ending in `localhost` are this machine's everywhere, though not every resolver says so (RFC 6761). */
const addressOf = (name: string): Promise<string | null> =>
  name.endsWith('.localhost')
    ? Promise.resolve('127.0.0.1')
    : lookup(name).then(
        ({ address }) => address,
        () => null,
      )

interface Visit {
  name: string
  address: string
  port: number
  tls: boolean
}

/** Asks for a name that no tunnel has: an edge says so in its own words. */
async function answerFinding(visit: Visit, { signal, answerMs }: Waiting): Promise<Finding> {
  const { name, port, tls } = visit
  const url = `${tls ? 'https' : 'http'}://${name}:${port}/`
  try {
    const { status, text } = await ask(visit, AbortSignal.any([signal, AbortSignal.timeout(answerMs)]))
    if (status === 404 && text.includes('Nothing is open at'))
      return ok('edge-names', `the edge answers at names ending in .${name.split('.').slice(1).join('.')}`)
    return missing(
      'edge-names',
      `at ${url} something else answers (${status})`,
      'visitors of tunnels reach that instead',
      'lead the names to the edge, or let what is in front pass the Host header on',
    )
  } catch (error) {
    signal.throwIfAborted()
    const { message, code } = error as NodeJS.ErrnoException
    return missing(
      'edge-names',
      `${url} does not answer (${message || code})`,
      'no HTTP tunnel is reached by its name',
      tls
        ? 'look at the certificate, the firewall and what ends TLS'
        : 'start the edge, and open its port in the firewall',
    )
  }
}

/** Of an answer no more is read, in bytes. */
const answerBytesMax = 64 * 1024

const ask = ({ name, address, port, tls }: Visit, signal: AbortSignal): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const options = {
      ...{ host: address, port, servername: name, signal, agent: false },
      headers: { host: `${name}:${port}`, accept: 'text/plain' },
    }
    const asked = (tls ? httpsRequest : httpRequest)(options, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > answerBytesMax) response.destroy()
      })
      response.on('close', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asked.on('error', reject)
    asked.end()
  })

const isLocal = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
