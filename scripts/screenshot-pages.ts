import type { Page } from 'playwright-core'

/** One picture: where the page is, and what is done there before. `{server}` and the like are filled in from the world. */
export interface Shot {
  path: string
  /** Brings the page into the state that is shown: opens a dialog, selects something. It ends when that can be seen. */
  act?(page: Page): Promise<unknown>
}

const press =
  (name: RegExp, nth = 0) =>
  (page: Page): Promise<void> =>
    page.getByRole('button', { name }).nth(nth).click()

/** Opens the menu of that name and takes one of its entries. */
const choose =
  (menu: RegExp, entry: RegExp, nth = 0) =>
  async (page: Page): Promise<void> => {
    await press(menu, nth)(page)
    await page.getByRole('menuitem', { name: entry }).click()
  }

/** Pages for people who are not signed in. */
export const outside: Record<string, Shot> = {
  'sign-in': { path: '/sign-in' },
  'sign-in-refused': {
    path: '/sign-in',
    async act(page) {
      await page.locator('[type=email]').fill('nobody@example.com')
      await page.locator('[type=password]').fill('not the password')
      await page.locator('[type=submit]').click()
      await page.getByRole('alert').waitFor()
    },
  },
  setup: { path: '/setup#phs_x' },
  'setup-refused': {
    path: '/setup#phs_x',
    async act(page) {
      await page.locator('[type=email]').fill('ada@example.com')
      await page.locator('[type=password]').fill('correct horse battery')
      await page.locator('[type=text], input:not([type])').first().fill('Acme Games')
      await page.locator('[type=submit]').click()
      await page.getByRole('alert').waitFor()
    },
  },
  'setup-gone': { path: '/setup' },
  invitation: { path: '/invitation#phi_x' },
  'invitation-gone': { path: '/invitation' },
  'report-abuse': { path: '/report-abuse?host=shop.example.com' },
}

/** Pages of somebody who is signed in, in the languages that the texts of `act` name. */
export const inside: Record<string, Shot> = {
  servers: { path: '/servers' },
  'servers-selected': {
    path: '/servers',
    act: (page) => page.getByRole('checkbox').first().click({ force: true }),
  },
  'servers-no-match': { path: '/servers', act: (page) => page.getByRole('searchbox').fill('nothing like it') },
  'servers-palette': {
    path: '/servers',
    async act(page) {
      await page.keyboard.press('Control+K')
      await page.getByRole('dialog').waitFor()
    },
  },
  'servers-curl': { path: '/servers', act: press(/curl/i) },
  'server-new': { path: '/servers/new' },
  'server-new-more': { path: '/servers/new', act: (page) => page.locator('summary').click() },
  'server-console': { path: '/servers/{server}/console' },
  'server-console-offline': { path: '/servers/{empty}/console' },
  'server-console-crashed': { path: '/servers/{crashed}/console' },
  'server-kill': { path: '/servers/{server}/console', act: press(/^(Kill|Abbrechen|Sofort beenden)$/) },
  'server-files': { path: '/servers/{server}/files' },
  'server-files-empty': { path: '/servers/{server}/files?path=%2Fempty' },
  'server-files-selected': {
    path: '/servers/{server}/files',
    async act(page) {
      for (const row of [2, 3]) await page.getByRole('checkbox').nth(row).click({ force: true })
    },
  },
  'server-files-menu': { path: '/servers/{server}/files', act: press(/^(Actions for|Aktionen für) server\.prop/) },
  'server-files-new': { path: '/servers/{server}/files', act: choose(/^(New|Neu)$/, /^(New folder|Neuer Ordner)$/) },
  'server-files-pull': { path: '/servers/{server}/files', act: choose(/^(Upload|Hochladen)$/, /URL/) },
  'server-files-mode': {
    path: '/servers/{server}/files',
    act: choose(/^(Actions for|Aktionen für) server\.prop/, /^(Change permissions|Rechte ändern)$/),
  },
  'server-files-delete': {
    path: '/servers/{server}/files',
    act: choose(/^(Actions for|Aktionen für) world/, /^(Delete|Löschen)$/),
  },
  'server-files-missing': { path: '/servers/{server}/files?path=%2Fnot%2Fthere' },
  'server-editor': { path: '/servers/{server}/files?file=server.properties' },
  'server-log': { path: '/servers/{server}/files?path=%2Flogs&file=latest.log' },
  'server-image': { path: '/servers/{server}/files?file=server-icon.png' },
  'server-stats': { path: '/servers/{server}/stats' },
  'server-stats-empty': { path: '/servers/{empty}/stats' },
  'server-crashes': { path: '/servers/{crashed}/crashes' },
  'server-crashes-empty': { path: '/servers/{empty}/crashes' },
  'server-backups': { path: '/servers/{server}/backups' },
  'server-backups-empty': { path: '/servers/{empty}/backups' },
  'server-backups-new': { path: '/servers/{server}/backups', act: press(/^(New backup|Neues Backup)$/) },
  'server-backups-restore': { path: '/servers/{server}/backups', act: press(/^(Restore|Zurückspielen)/) },
  'server-databases': { path: '/servers/{server}/databases' },
  'server-databases-empty': { path: '/servers/{empty}/databases' },
  'server-databases-new': { path: '/servers/{server}/databases', act: press(/^(New database|Neue Datenbank)$/) },
  'server-schedules': { path: '/servers/{server}/schedules' },
  'server-schedules-empty': { path: '/servers/{empty}/schedules' },
  'server-schedules-new': { path: '/servers/{server}/schedules', act: press(/^(New schedule|Neuer Zeitplan)$/) },
  'server-network': { path: '/servers/{server}/network' },
  'server-network-add': { path: '/servers/{server}/network', act: press(/^(Add a port|Port hinzufügen)$/) },
  'server-people': { path: '/servers/{server}/people' },
  'server-people-empty': { path: '/servers/{empty}/people' },
  'server-people-add': { path: '/servers/{server}/people', act: press(/^(Add somebody|Jemanden hinzufügen)$/) },
  'server-startup': { path: '/servers/{minecraft}/startup' },
  'server-startup-command': { path: '/servers/{server}/startup' },
  'server-activity': { path: '/servers/{server}/activity' },
  'server-settings': { path: '/servers/{server}/settings' },
  'server-settings-delete': { path: '/servers/{server}/settings', act: press(/^(Delete the server|Server löschen)$/) },
  'server-missing': { path: '/servers/ffffffff/console' },
  tunnels: { path: '/tunnels' },
  'tunnels-open': { path: '/tunnels', act: press(/^(Open a tunnel|Tunnel öffnen)$/) },
  'tunnel-missing': { path: '/tunnels/nothing' },
  domains: { path: '/domains' },
  usage: { path: '/usage' },
  keys: { path: '/keys' },
  'keys-new': { path: '/keys', act: press(/^(New key|Neuer Schlüssel)$/) },
  'keys-revoke': { path: '/keys', act: press(/^(Revoke|Widerrufen)/) },
  members: { path: '/members' },
  'members-invite': { path: '/members', act: press(/^(Invite somebody|Jemanden einladen)$/) },
  'members-remove': { path: '/members', act: press(/^(Remove|Entfernen)/) },
  webhooks: { path: '/webhooks' },
  'webhooks-new': { path: '/webhooks', act: press(/^(New webhook|Neuer Webhook)$/) },
  webhook: { path: '/webhooks/{webhook}' },
  'webhook-change': { path: '/webhooks/{webhook}', act: press(/^(Change|Ändern)$/) },
  'webhook-delivery': { path: '/webhooks/{webhook}', act: press(/^(Details|Einzelheiten)$/) },
  activity: { path: '/activity' },
  api: { path: '/api' },
  'api-operation': { path: '/api#createServer' },
  account: { path: '/account' },
  'account-two-factor': { path: '/account', act: press(/^(Turn on|Einschalten)$/) },
  'account-ssh-key': { path: '/account', act: press(/^(Add an SSH key|SSH-Schlüssel hinzufügen)$/) },
  'account-menu': { path: '/usage', act: press(/@example\.com/) },
  device: { path: '/device' },
  'device-unknown': {
    path: '/device',
    async act(page) {
      await page.locator('main input').fill('bbbb-bbbb')
      await page.locator('main [type=submit]').click()
      await page.getByRole('alert').waitFor()
    },
  },
  nodes: { path: '/admin/nodes' },
  'nodes-add': { path: '/admin/nodes', act: press(/^(Add a machine|Maschine hinzufügen)$/) },
  'nodes-details': {
    path: '/admin/nodes',
    act: choose(/^(Actions for|Aktionen für)/, /^(Details|Einzelheiten)$/),
  },
  'nodes-placement': { path: '/admin/nodes', act: choose(/^(Actions for|Aktionen für)/, /^(Placement|Platzierung)$/) },
  'nodes-drain': {
    path: '/admin/nodes',
    act: choose(/^(Actions for|Aktionen für)/, /^(Move all servers away|Alle Server umziehen)$/),
  },
  edges: { path: '/admin/edges' },
  'foreign-edges': { path: '/admin/foreign-edges' },
  'foreign-edges-add': { path: '/admin/foreign-edges', act: press(/^(Register an edge|Edge eintragen)$/) },
  'edges-add': { path: '/admin/edges', act: press(/^(Add an edge|Edge hinzufügen)$/) },
  templates: { path: '/admin/templates' },
  'templates-import': { path: '/admin/templates', act: press(/^(Import an egg|Egg importieren)$/) },
  'templates-details': {
    path: '/admin/templates',
    act: choose(/^(Actions for|Aktionen für)/, /^(Details|Einzelheiten)$/),
  },
  'templates-source': { path: '/admin/templates', act: press(/^(Add a source|Quelle hinzufügen)$/) },
  'database-hosts': { path: '/admin/database-hosts' },
  'database-hosts-add': {
    path: '/admin/database-hosts',
    act: press(/^(Add a host|Datenbank-Server hinzufügen)$/),
  },
  plans: { path: '/admin/plans' },
  'plans-workspace': { path: '/admin/plans', act: press(/^(Look it up|Nachsehen)$/) },
  'plans-change': { path: '/admin/plans', act: press(/^(Change Standard|Standard ändern)$/) },
  abuse: { path: '/admin/abuse' },
  users: { path: '/admin/users' },
  'users-no-match': { path: '/admin/users', act: (page) => page.getByRole('searchbox').fill('nothing like it') },
  shortcuts: { path: '/usage', act: (page) => page.keyboard.press('?') },
  nothing: { path: '/not-a-page' },
}

/** Pages of a workspace that has nothing yet. */
export const empty: Record<string, Shot> = {
  'servers-empty': { path: '/servers' },
  'tunnels-empty': { path: '/tunnels' },
  'domains-empty': { path: '/domains' },
  'usage-empty': { path: '/usage' },
  'keys-empty': { path: '/keys' },
  'webhooks-empty': { path: '/webhooks' },
  'activity-empty': { path: '/activity' },
}
