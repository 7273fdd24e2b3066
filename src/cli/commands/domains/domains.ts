import { z } from 'zod'
import { CommandError, type Connection, command } from '../../command.ts'
import { facts, table } from '../../output.ts'

type Domain = Awaited<ReturnType<Connection['client']['domain']>>

const ofDomain = [['<domain>', 'its name or id']] as const
const Named = z.object({ domain: z.string().min(1) })

const list = command({
  path: 'domains list',
  summary: 'List the workspace’s own domains, where they lead, and their certificates',
  examples: ['pharos domains list', 'pharos domains list --json'],
  options: z.object({}),
  async run(_options, { connect, out }) {
    const { domains } = await (await connect()).client.domains({})
    out.result(domains, () =>
      domains.length === 0
        ? 'No domains yet. "pharos domains add app.example.org --to web" brings one.'
        : table(
            ['domain', 'tunnel', 'state', 'certificate', 'expires', 'next'],
            domains.map((one) => [
              one.name,
              one.tunnel,
              one.state,
              one.certificate.state,
              one.certificate.expiresAt ?? '',
              one.state === 'active' ? (one.certificate.message ?? '') : (one.check?.message ?? ''),
            ]),
          ),
    )
  },
})

const add = command({
  path: 'domains add',
  summary: 'Have a domain of your own lead to a tunnel, and show the records to set',
  description:
    'The records go into the DNS where you bought the domain. It is served once the ownership record is found there, which is looked for by itself.',
  args: [['<domain>', 'app.example.org, or *.example.org for every name right below it']],
  flags: [['--to <tunnel>', 'the name of a tunnel that is found by host name']],
  examples: ['pharos domains add app.example.org --to web', 'pharos domains add "*.example.org" --to web'],
  options: Named.extend({ to: z.string().min(1) }),
  async run({ domain, to }, { connect, out }) {
    const made = await (await connect()).client.createDomain({ body: { name: domain, tunnel: to } })
    out.result(made, () => `${recordWords(made)}\n\n"pharos domains check ${made.name}" looks whether they are there.`)
  },
})

const show = command({
  path: 'domains show',
  summary: 'Show a domain: its records, what was found of them, and its certificate',
  args: ofDomain,
  examples: ['pharos domains show app.example.org'],
  options: Named,
  async run({ domain }, { connect, out }) {
    const found = await find(await connect(), domain)
    out.result(found, () => `${words(found)}\n\n${recordWords(found)}`)
  },
})

const check = command({
  path: 'domains check',
  summary: 'Look at the DNS now, and try a failed certificate again',
  description: 'Ends with 1 while the domain is not proved.',
  args: ofDomain,
  examples: ['pharos domains check app.example.org'],
  options: Named,
  async run({ domain }, { connect, out }) {
    const connection = await connect()
    const { id } = await find(connection, domain)
    const seen = await connection.client.checkDomain({ params: { domain: id } })
    out.result(seen, () => words(seen))
    if (seen.state !== 'active')
      throw new CommandError(seen.check?.message ?? `${seen.name} was not looked at yet. Try again in a moment.`)
  },
})

const move = command({
  path: 'domains move',
  summary: 'Have a domain lead to another tunnel',
  args: ofDomain,
  flags: [['--to <tunnel>', 'the name of the other tunnel']],
  examples: ['pharos domains move app.example.org --to shop'],
  options: Named.extend({ to: z.string().min(1) }),
  async run({ domain, to }, { connect, out }) {
    const connection = await connect()
    const { id } = await find(connection, domain)
    const moved = await connection.client.updateDomain({ params: { domain: id }, body: { tunnel: to } })
    out.result(moved, () => `${moved.name} leads to ${moved.tunnel}`)
  },
})

const remove = command({
  path: 'domains delete',
  summary: 'Give a domain up: it is not served from now on, and needs a new proof to come back',
  args: ofDomain,
  examples: ['pharos domains delete app.example.org'],
  options: Named,
  async run({ domain }, { connect, out }) {
    const connection = await connect()
    const { id, name } = await find(connection, domain)
    const gone = await connection.client.deleteDomain({ params: { domain: id } })
    out.result(gone, () => `${name} is given up. Its records in the DNS can be removed.`)
  },
})

/** `domains list|add|show|check|move|delete` */
export const domainCommands = [list, add, show, check, move, remove]

function words(domain: Domain): string {
  const { check, certificate } = domain
  return facts([
    ['domain', domain.displayName === domain.name ? domain.name : `${domain.displayName} (${domain.name})`],
    ['tunnel', domain.tunnel],
    ['state', domain.offAt === null ? domain.state : `${domain.state}, off at ${domain.offAt}`],
    ['url', domain.url],
    ['checked', check && `${check.at}: ${check.message}`],
    ['found', check && check.found.length > 0 ? check.found.join('; ') : null],
    ['certificate', certificate.message === null ? certificate.state : `${certificate.state}: ${certificate.message}`],
    ['expires', certificate.expiresAt],
    ['renews', certificate.renewsAt],
    ['tried again', certificate.state === 'failed' ? certificate.nextAt : null],
  ])
}

function recordWords({ records }: Domain): string {
  const why = {
    ownership: 'proves that it is yours',
    address: 'leads visitors here',
    certificate: 'for the certificate',
  }
  const addresses = records.filter(({ purpose }) => purpose === 'address').length
  return [
    `Set in the DNS of the domain${addresses > 1 ? '; one of the address records is enough' : ''}:`,
    table(
      ['type', 'name', 'value', ''],
      records.map(({ type, name, value, purpose }) => [type, name, value, why[purpose]]),
    ),
  ].join('\n')
}

async function find({ client }: Connection, meant: string): Promise<Domain> {
  const { domains } = await client.domains({})
  const plain = meant.toLowerCase().replace(/\.$/, '')
  const found = domains.find(({ id, name, displayName }) => id === meant || name === plain || displayName === plain)
  if (!found) throw new CommandError(`The workspace has no domain ${meant}. "pharos domains list" shows them.`)
  return found
}
