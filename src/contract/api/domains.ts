import { z } from 'zod'
import { Time } from '../fields.ts'
import { operation } from '../operation.ts'

/** Domains of one workspace: each is looked up in the DNS every day. */
export const domainsMax = 50

/** Domains of one tunnel: beside its own two names they are told to every edge with the tunnel. */
export const domainsPerTunnelMax = 8

/**
 * Where a domain stands.
 * - `pending`: nobody has proved yet that it is theirs. - `active`: proved; visitors are let in. - `warned`: the proof is gone;
 *   visitors are let in until `offAt`. - `off`: the proof has been gone for too long, or somebody else has proved it.
 */
export const domainStates = ['pending', 'active', 'warned', 'off'] as const
export type DomainState = (typeof domainStates)[number]

/** A record that the owner of a domain sets in its zone. */
export const DomainRecord = z
  .strictObject({
    purpose: z.enum(['ownership', 'address', 'certificate']).meta({
      description:
        '`ownership` proves whose it is, `address` leads visitors here (one of those listed is enough), `certificate` lets a wildcard’s certificate be made',
    }),
    type: z.enum(['TXT', 'CNAME', 'A', 'AAAA']),
    name: z.string().meta({ example: '_pharos-verify.app.example.org' }),
    value: z.string(),
  })
  .meta({ id: 'DomainRecord' })

/**
 * What one look at the DNS means.
 * - `complete`: everything is set. - `no_answer`: the DNS did not answer; it is asked again. - `no_record`: there is no ownership record
 *   yet. - `other_record`: there are TXT records at its name, but not this one. - `alias`: a CNAME is in its place, which proves nothing.
 * - `not_here`: it is yours, but does not lead here. - `taken`: another workspace has proved it. - `reserved`: it belongs to the installation.
 */
export const checkReasons = [
  'complete',
  'no_answer',
  'no_record',
  'other_record',
  'alias',
  'not_here',
  'taken',
  'reserved',
] as const
export type CheckReason = (typeof checkReasons)[number]

/**
 * Why a domain has no certificate, or not the next one yet.
 * - With state `none`: `own_certificate` (the service shows its own), `no_tls` (nobody speaks TLS to it), `no_authority` and `no_zone` (whoever
 *   runs the installation has set none).
 * - `waiting`: `not_proved`, `tunnel_closed`, `not_here`, `not_delegated` (of a wildcard: its `certificate` record), `workspace_budget` and
 *   `installation_budget` (as many were ordered as may be in a week).
 * - `failed`: the authority is `unreachable`, has `refused`, could not see the domain (`not_validated`), does not offer what is needed
 *   (`unsupported`), came to no end (`slow`) or made no sense (`unreadable`); a `name_server` did not take a record; `internal`.
 */
export const certificateReasons = [
  'own_certificate',
  'no_tls',
  'no_authority',
  'no_zone',
  'not_proved',
  'tunnel_closed',
  'not_here',
  'not_delegated',
  'workspace_budget',
  'installation_budget',
  'unreachable',
  'refused',
  'not_validated',
  'unsupported',
  'slow',
  'unreadable',
  'name_server',
  'internal',
] as const
export type CertificateReason = (typeof certificateReasons)[number]

/** What one look at the DNS has found. */
export const DomainCheck = z
  .strictObject({
    at: Time,
    ownership: z.enum(['found', 'missing', 'unknown']).meta({
      description: '`unknown`: the DNS did not answer, which changes nothing',
    }),
    address: z.enum(['found', 'missing', 'unknown']),
    found: z.array(z.string()).meta({ description: 'What was found instead, as it stands in the DNS' }),
    reason: z.enum(checkReasons).nullable().meta({ description: 'The same for programs; null of older looks' }),
    message: z.string().meta({ description: 'What it means, and what to do next' }),
  })
  .meta({ id: 'DomainCheck' })

export const DomainCertificate = z
  .strictObject({
    state: z.enum(['none', 'waiting', 'ordering', 'issued', 'failed']).meta({
      description:
        '`none`: none is made here. `waiting`: it will be, when what `message` says has happened. `failed`: the last attempt failed; it is tried again at `nextAt`',
    }),
    reason: z.enum(certificateReasons).nullable().meta({ description: 'Why there is none, or not the next one yet' }),
    message: z.string().nullable().meta({ description: 'The same in words' }),
    detail: z.string().nullable().meta({ description: 'What the authority or the name server said of it' }),
    expiresAt: Time.nullable().meta({ description: 'Of the certificate that visitors are shown' }),
    renewsAt: Time.nullable(),
    nextAt: Time.nullable().meta({ description: 'When it is tried again' }),
  })
  .meta({ id: 'DomainCertificate' })

export const Domain = z
  .strictObject({
    id: z.string(),
    name: z.string().meta({ description: 'In its ASCII form; `*.` stands for one label', example: 'app.example.org' }),
    displayName: z.string().meta({ description: 'The same as people write it' }),
    tunnelId: z.string(),
    tunnel: z.string().meta({ description: 'The name of the tunnel that it leads to' }),
    state: z.enum(domainStates),
    url: z
      .string()
      .nullable()
      .meta({ description: 'Where visitors find it; null with `*.` and while it is not served' }),
    offAt: Time.nullable().meta({ description: 'With state `warned`: when visitors are not let in any more' }),
    records: z.array(DomainRecord).meta({ description: 'What to set in the zone of the domain' }),
    check: DomainCheck.nullable().meta({ description: 'The last look at the DNS' }),
    nextCheckAt: Time.nullable(),
    certificate: DomainCertificate,
    createdAt: Time,
  })
  .meta({ id: 'Domain' })

export const NewDomain = z
  .strictObject({
    name: z.string().trim().min(1).max(253).meta({
      description: 'A host name, or `*.` before one for every name right below it',
      example: 'app.example.org',
    }),
    tunnel: z.string().min(1).max(100).meta({ description: 'Id or name of a tunnel that is found by host name' }),
  })
  .meta({ id: 'NewDomain' })

const OfDomain = z.object({ domain: z.string() })
const base = { family: 'control', tag: 'Domains' } as const
const read = { workspace: 'tunnels.read' } as const
const manage = { workspace: 'domains.manage' } as const

export const domainOperations = {
  domains: operation({
    ...base,
    method: 'GET',
    path: '/domains',
    summary: 'The workspace’s own domains, with what to set in the DNS and the state of their certificates',
    access: read,
    reply: z.strictObject({ domains: z.array(Domain) }),
    errors: [],
  }),
  createDomain: operation({
    ...base,
    method: 'POST',
    path: '/domains',
    summary: 'Have a domain of your own lead to a tunnel',
    description:
      'It is served once its `ownership` record is found: that is looked for by itself, often at first, or with `checkDomain`. Several workspaces may ask for one domain; whoever proves it has it.',
    access: manage,
    body: NewDomain,
    reply: Domain,
    errors: ['not_found', 'conflict', 'forbidden'],
  }),
  domain: operation({
    ...base,
    method: 'GET',
    path: '/domains/{domain}',
    summary: 'One of them',
    access: read,
    params: OfDomain,
    reply: Domain,
    errors: ['not_found'],
  }),
  updateDomain: operation({
    ...base,
    method: 'PATCH',
    path: '/domains/{domain}',
    summary: 'Have it lead to another tunnel of the workspace',
    access: manage,
    params: OfDomain,
    body: z.strictObject({ tunnel: NewDomain.shape.tunnel }),
    reply: Domain,
    errors: ['not_found', 'conflict'],
  }),
  checkDomain: operation({
    ...base,
    method: 'POST',
    path: '/domains/{domain}/checks',
    summary: 'Look at the DNS now, and try a failed certificate again',
    access: manage,
    params: OfDomain,
    reply: Domain,
    errors: ['not_found', 'conflict', 'rate_limited'],
  }),
  deleteDomain: operation({
    ...base,
    method: 'DELETE',
    path: '/domains/{domain}',
    summary: 'Give a domain up: it is not served from now on, and needs a new proof to come back',
    access: manage,
    params: OfDomain,
    reply: z.strictObject({ id: z.string(), deleted: z.literal(true) }),
    errors: ['not_found'],
  }),
}
