import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router'
import { signedIn } from '../session/session.ts'
import { Loading } from '../ui/state.tsx'
import { Inside } from './inside.tsx'
import { NotFound, RouteError } from './route-error.tsx'

const root = createRootRouteWithContext<{ queries: QueryClient }>()({ component: Outlet })

/** Pages for people who are not signed in. The secrets of links are in the fragment, which browsers send to nobody. */
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  component: lazyRouteComponent(() => import('../session/setup-page.tsx'), 'SetupPage'),
})
const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitation',
  component: lazyRouteComponent(() => import('../session/invitation-page.tsx'), 'InvitationPage'),
})
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: ({ next }: Record<string, unknown>): { next?: string | undefined } => ({
    // Only a path of this panel: `//elsewhere` would be another site.
    next: typeof next === 'string' && /^\/(?![/\\])/.test(next) ? next : undefined,
  }),
  component: lazyRouteComponent(() => import('../session/sign-in-page.tsx'), 'SignInPage'),
})

/** Where a provider sends people back to, with its answer in the query. */
const providerReturn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/$provider',
  component: lazyRouteComponent(() => import('../session/provider-return-page.tsx'), 'ProviderReturnPage'),
})

const reportAbuse = createRoute({
  getParentRoute: () => root,
  path: '/report-abuse',
  validateSearch: ({ host }: Record<string, unknown>): { host?: string | undefined } => ({ host: named(host) }),
  component: lazyRouteComponent(() => import('../abuse/report-page.tsx'), 'ReportPage'),
})

/** Everything else needs somebody. */
const inside = createRoute({
  getParentRoute: () => root,
  id: 'inside',
  component: Inside,
  beforeLoad: async ({ context, location }) => {
    if (!(await signedIn(context.queries)))
      throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { next: location.href } })
  },
})
const home = createRoute({
  getParentRoute: () => inside,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/servers' })
  },
})
const servers = createRoute({
  getParentRoute: () => inside,
  path: '/servers',
  component: lazyRouteComponent(() => import('../servers/servers-page.tsx'), 'ServersPage'),
})
const newServer = createRoute({
  getParentRoute: () => inside,
  path: '/servers/new',
  component: lazyRouteComponent(() => import('../servers/new-server-page.tsx'), 'NewServerPage'),
})
const server = createRoute({
  getParentRoute: () => inside,
  path: '/servers/$serverId',
  component: lazyRouteComponent(() => import('../servers/server-layout.tsx'), 'ServerLayout'),
})
const serverHome = createRoute({
  getParentRoute: () => server,
  path: '/',
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/servers/$serverId/console', params })
  },
})
const serverConsole = createRoute({
  getParentRoute: () => server,
  path: '/console',
  component: lazyRouteComponent(() => import('../console/console-page.tsx'), 'ConsolePage'),
})

const serverFiles = createRoute({
  getParentRoute: () => server,
  path: '/files',
  // A folder, and perhaps one file in it; `as=text` opens the file as text, whatever its name says.
  validateSearch: ({ path, file, as }: Record<string, unknown>): FilesSearch => ({
    path: named(path),
    file: named(file),
    as: as === 'text' ? as : undefined,
  }),
  component: lazyRouteComponent(() => import('../files/files-page.tsx'), 'FilesPage'),
})
const serverPeople = createRoute({
  getParentRoute: () => server,
  path: '/people',
  component: lazyRouteComponent(() => import('../people/people-page.tsx'), 'PeoplePage'),
})
const serverBackups = createRoute({
  getParentRoute: () => server,
  path: '/backups',
  component: lazyRouteComponent(() => import('../backups/backups-page.tsx'), 'BackupsPage'),
})
const serverDatabases = createRoute({
  getParentRoute: () => server,
  path: '/databases',
  component: lazyRouteComponent(() => import('../databases/databases-page.tsx'), 'DatabasesPage'),
})
const serverSchedules = createRoute({
  getParentRoute: () => server,
  path: '/schedules',
  component: lazyRouteComponent(() => import('../schedules/schedules-page.tsx'), 'SchedulesPage'),
})
const serverNetwork = createRoute({
  getParentRoute: () => server,
  path: '/network',
  component: lazyRouteComponent(() => import('../network/network-page.tsx'), 'NetworkPage'),
})
const serverStartup = createRoute({
  getParentRoute: () => server,
  path: '/startup',
  component: lazyRouteComponent(() => import('../startup/startup-page.tsx'), 'StartupPage'),
})
const serverCrashes = createRoute({
  getParentRoute: () => server,
  path: '/crashes',
  component: lazyRouteComponent(() => import('../crashes/crashes-page.tsx'), 'CrashesPage'),
})
const serverStats = createRoute({
  getParentRoute: () => server,
  path: '/stats',
  component: lazyRouteComponent(() => import('../stats/stats-page.tsx'), 'StatsPage'),
})
const serverActivity = createRoute({
  getParentRoute: () => server,
  path: '/activity',
  component: lazyRouteComponent(() => import('../activity/server-activity-page.tsx'), 'ServerActivityPage'),
})
const serverSettings = createRoute({
  getParentRoute: () => server,
  path: '/settings',
  component: lazyRouteComponent(() => import('../settings/settings-page.tsx'), 'SettingsPage'),
})
const tunnels = createRoute({
  getParentRoute: () => inside,
  path: '/tunnels',
  component: lazyRouteComponent(() => import('../tunnels/tunnels-page.tsx'), 'TunnelsPage'),
})
const tunnel = createRoute({
  getParentRoute: () => inside,
  path: '/tunnels/$tunnel',
  component: lazyRouteComponent(() => import('../tunnels/tunnel-page.tsx'), 'TunnelPage'),
})
const domains = createRoute({
  getParentRoute: () => inside,
  path: '/domains',
  component: lazyRouteComponent(() => import('../domains/domains-page.tsx'), 'DomainsPage'),
})
const usage = createRoute({
  getParentRoute: () => inside,
  path: '/usage',
  component: lazyRouteComponent(() => import('../workspace/usage-page.tsx'), 'UsagePage'),
})
const keys = createRoute({
  getParentRoute: () => inside,
  path: '/keys',
  component: lazyRouteComponent(() => import('../workspace/keys-page.tsx'), 'KeysPage'),
})
const members = createRoute({
  getParentRoute: () => inside,
  path: '/members',
  component: lazyRouteComponent(() => import('../workspace/members-page.tsx'), 'MembersPage'),
})
const webhooks = createRoute({
  getParentRoute: () => inside,
  path: '/webhooks',
  component: lazyRouteComponent(() => import('../webhooks/webhooks-page.tsx'), 'WebhooksPage'),
})
const webhook = createRoute({
  getParentRoute: () => inside,
  path: '/webhooks/$webhook',
  component: lazyRouteComponent(() => import('../webhooks/webhook-page.tsx'), 'WebhookPage'),
})
const workspaceActivity = createRoute({
  getParentRoute: () => inside,
  path: '/activity',
  component: lazyRouteComponent(() => import('../workspace/activity-page.tsx'), 'WorkspaceActivityPage'),
})

const account = createRoute({
  getParentRoute: () => inside,
  path: '/account',
  component: lazyRouteComponent(() => import('../account/account-page.tsx'), 'AccountPage'),
})
/** Terminals send people here, with a code. */
const device = createRoute({
  getParentRoute: () => inside,
  path: '/device',
  component: lazyRouteComponent(() => import('../device/device-page.tsx'), 'DevicePage'),
})
const reference = createRoute({
  getParentRoute: () => inside,
  path: '/api',
  component: lazyRouteComponent(() => import('../reference/reference-page.tsx'), 'ReferencePage'),
})
const nodes = createRoute({
  getParentRoute: () => inside,
  path: '/admin/nodes',
  component: lazyRouteComponent(() => import('../admin/nodes-page.tsx'), 'NodesPage'),
})
const edges = createRoute({
  getParentRoute: () => inside,
  path: '/admin/edges',
  component: lazyRouteComponent(() => import('../admin/edges-page.tsx'), 'EdgesPage'),
})
const foreignEdges = createRoute({
  getParentRoute: () => inside,
  path: '/admin/foreign-edges',
  component: lazyRouteComponent(() => import('../foreign-edges/foreign-edges-page.tsx'), 'ForeignEdgesPage'),
})

const templates = createRoute({
  getParentRoute: () => inside,
  path: '/admin/templates',
  component: lazyRouteComponent(() => import('../templates/templates-page.tsx'), 'TemplatesPage'),
})
const abuseReports = createRoute({
  getParentRoute: () => inside,
  path: '/admin/abuse',
  component: lazyRouteComponent(() => import('../abuse/reports-page.tsx'), 'AbuseReportsPage'),
})
const users = createRoute({
  getParentRoute: () => inside,
  path: '/admin/users',
  component: lazyRouteComponent(() => import('../admin/users-page.tsx'), 'UsersPage'),
})

const plans = createRoute({
  getParentRoute: () => inside,
  path: '/admin/plans',
  component: lazyRouteComponent(() => import('../admin/plans-page.tsx'), 'PlansPage'),
})
const databaseHosts = createRoute({
  getParentRoute: () => inside,
  path: '/admin/database-hosts',
  component: lazyRouteComponent(() => import('../admin/database-hosts-page.tsx'), 'DatabaseHostsPage'),
})

const identityProviders = createRoute({
  getParentRoute: () => inside,
  path: '/admin/identity-providers',
  component: lazyRouteComponent(() => import('../admin/identity-providers-page.tsx'), 'IdentityProvidersPage'),
})

const routes = root.addChildren([
  reportAbuse,
  setup,
  invitation,
  signIn,
  providerReturn,
  inside.addChildren([
    home,
    servers,
    newServer,
    server.addChildren([
      serverHome,
      serverConsole,
      serverFiles,
      serverPeople,
      serverBackups,
      serverDatabases,
      serverSchedules,
      serverNetwork,
      serverStartup,
      serverStats,
      serverCrashes,
      serverActivity,
      serverSettings,
    ]),
    domains,
    usage,
    keys,
    members,
    webhooks,
    webhook,
    workspaceActivity,
    account,
    device,
    reference,
    nodes,
    edges,
    foreignEdges,
    templates,
    plans,
    abuseReports,
    users,
    databaseHosts,
    identityProviders,
    tunnels,
    tunnel,
  ]),
])

export const createAppRouter = (queries: QueryClient) =>
  createRouter({
    routeTree: routes,
    context: { queries },
    defaultPreload: 'intent',
    defaultPendingComponent: Loading,
    defaultErrorComponent: RouteError,
    defaultNotFoundComponent: NotFound,
    scrollRestoration: true,
  })

interface FilesSearch {
  path?: string | undefined
  file?: string | undefined
  as?: 'text' | undefined
}

/** A name in the address may look like a number: `?file=404`. */
const named = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
