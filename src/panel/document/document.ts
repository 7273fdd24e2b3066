import { apiPrefix, publicOperations, publicSockets, publicTransfers } from '../../contract/api/index.ts'
import { toOpenApi } from '../../contract/openapi.ts'
import { sessionCookieName } from '../access/index.ts'

/** The OpenAPI document of the public API: what the panel serves and what is committed to the repository. */
export const openApiDocument = (): ReturnType<typeof toOpenApi> =>
  toOpenApi([publicOperations], [publicSockets], [publicTransfers], {
    title: 'Pharos',
    version: '1',
    description: [
      'Runs game servers on any machine and puts them, or any local port, on the internet.',
      'Every route takes an API key as `Authorization: Bearer <key>`. A key belongs to one workspace and acts with the permissions of the user who made it; on servers it reaches those of its workspace and those that were shared with that user.',
      'Browsers may use a session cookie instead, from the panel’s own pages only; the header `X-Pharos-Workspace` then chooses a workspace by its slug (the first one joined without it).',
      'Administering the installation opens no workspace or server: an administrator sees those of which they are a member.',
      'Each authenticated reply says in `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds) how much of the minute is left; past the limit the answer is 429 with `Retry-After`.',
    ].join('\n\n'),
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    server: { url: apiPrefix, description: 'This panel' },
    tags: {
      Workspaces: 'What keys, tunnels and usage belong to, and its people.',
      'API keys': 'Keys for programs, dashboards and agents.',
      Usage: 'What went through the tunnels.',
      Account: 'Signing up, signing in, and where one is signed in.',
      Terminals: 'Signing in from a terminal: a code that a person approves in a browser.',
      Servers: 'Game servers: create, start, stop, change, delete.',
      Files: 'The files of a server: read, write, move, pack, upload, download.',
      Console: 'What a server prints, and commands to it.',
      Network: 'The ports of a server.',
      Startup: 'The variables that a server starts with.',
      Settings: 'What a server may use, and how much it does.',
      Databases: 'MariaDB and MySQL databases for the games of a server.',
      Subusers: 'Who else may use a server.',
      Backups: 'Archives of a server’s files: made while it runs, kept where the installation says, restored into it.',
      Transfers: 'Servers on their way from one machine to another, without losing anything.',
      Schedules: 'What happens to a server by itself, and how it went.',
      Activity: 'Who did what, from where and when; denied attempts too.',
      Webhooks: 'Who is told of what happens in the workspace: URLs, Discord channels and members by mail.',
      'Live events': 'What happens, as it happens, over WebSocket.',
      Templates: 'The kinds of server that can be created, those made of Pterodactyl and Pelican eggs among them.',
      'Template sources': 'Archives of eggs that templates are synchronised from.',
      Abuse: 'What people tell of tunnels that do harm.',
      'Access rules': 'Who may visit a tunnel: networks, passwords, sign-in, limits, signatures.',
      Tunnels: 'Local ports on the internet, and the edges that carry them.',
      Domains:
        'Names of your own that lead to tunnels, with the records to set and the certificates that are made for them.',
      Inspection: 'What visitors ask of a tunnel, who they are at this moment, and asking it once more.',
      'Foreign edges': 'Edges of others, which speak the published edge contract.',
      Instance: 'What the person who runs the installation decides about workspaces.',
      Nodes: 'The machines that run servers.',
      'Database hosts': 'Where the databases of servers are, where their own machines do not hold them.',
      Document: 'This document.',
    },
    sessionCookie: sessionCookieName,
  })
