import type { CertificateReason } from '../../contract/api/domains.ts'
import type { LogLevel } from '../../contract/log-level.ts'
import type { TransferStage } from '../../contract/transfer-stages.ts'

/**
 * The database as Kysely sees it, the same on SQLite and PostgreSQL. Times are milliseconds since 1970 in 64-bit integers,
 * truth values are 0 and 1, structured values are JSON text that its slice parses with a schema.
 * Each table belongs to the slice named above it; only that slice writes it.
 */
export interface Tables {
  // accounts
  users: UserRow
  sessions: SessionRow
  settings: { key: string; value: string }
  two_factor: TwoFactorRow
  recovery_codes: { user_id: string; code_hash: string }
  passkeys: PasskeyRow
  ssh_keys: SshKeyRow
  /** Each is of no use again; after `expires_at` nobody would accept it anyway. */
  used_challenges: { id: string; expires_at: number }
  // identity-providers
  identity_providers: IdentityProviderRow
  linked_identities: LinkedIdentityRow
  // workspaces
  workspaces: WorkspaceRow
  members: { workspace_id: string; user_id: string; role: string; joined_at: number }
  invitations: InvitationRow
  // tokens
  tokens: TokenRow
  // panels
  panels: PanelRow
  // nodes
  nodes: NodeRow
  // edges
  edges: EdgeRow
  // log-levels
  log_levels: LogLevelRow
  // templates
  /** Every version of a template that some server was made from, by the SHA-256 of its JSON: tens of kilobytes, kept once and out of the way. */
  template_copies: { hash: string; content: string }
  templates: TemplateRow
  template_sources: TemplateSourceRow
  // servers
  servers: ServerRow
  // transfers
  transfers: TransferRow
  // network
  allocations: AllocationRow
  // subusers
  subusers: { server_id: string; user_id: string; permissions: string; created_at: number }
  // backups
  backups: BackupRow
  /** Of incremental backups, one for each server; it stays until the last of them is gone. `password` is sealed. */
  backup_repositories: { server_id: string; password: string; created_at: number }
  /** `backups_limit` null: the installation's own. */
  backup_settings: { server_id: string; rotate: number; backups_limit: number | null }
  // tunnels
  tunnels: TunnelRow
  tunnel_settings: TunnelSettingsRow
  edge_ports: EdgePortRow
  /** Which edge was ever given which tunnel. */
  edge_tunnels: { edge_id: string; tunnel_id: string }
  // domains
  domains: DomainRow
  domain_certificates: DomainCertificateRow
  /** Every order of a certificate of the last days, for budgets. */
  certificate_orders: { id: string; workspace_id: string; name: string; at: number }
  /** `key` is sealed; `url` is null until the authority has taken the account. */
  acme_accounts: { directory: string; key: string; url: string | null; created_at: number }
  // abuse
  abuse_reports: AbuseReportRow
  // plans
  plans: PlanRow
  // usage
  usage_counters: UsageCounterRow
  usage_peaks: { edge_id: string; epoch: string; workspace_id: string; day: number; peak: number }
  // foreign-edges
  foreign_edges: ForeignEdgeRow
  /** Whose agents have shown an edge a key of their workspace: what it serves. */
  foreign_edge_scopes: { edge_id: string; workspace_id: string; since: number }
  foreign_hosts: ForeignHostRow
  /** What was counted already: a report may come again. */
  foreign_events: { edge_id: string; event_id: string; at: number }
  foreign_periods: { edge_id: string; workspace_id: string; period_start: number; bytes: number }
  // devices
  device_sign_ins: DeviceSignInRow
  // databases
  database_hosts: DatabaseHostRow
  database_limits: { server_id: string; most: number }
  databases: DatabaseRow
  // activity
  activity: ActivityRow
  // stats
  server_stats: ServerStatsRow
  // schedules
  schedules: ScheduleRow
  schedule_limits: { server_id: string; most: number }
  schedule_runs: ScheduleRunRow
  // watching
  incidents: IncidentRow
  // webhooks
  webhooks: WebhookRow
  webhook_deliveries: WebhookDeliveryRow
  // alerts
  /** How things were when somebody was last told of a change: whoever changes it tells of it, nobody else. */
  alert_states: { subject: string; state: string; since: number }
}

/** A template that was imported. */
export interface TemplateRow {
  id: string
  /** JSON of the template as its egg says it. */
  content: string
  /** JSON of what an administrator says instead; it stays when the egg is imported again. */
  edits: string
  /** The source that keeps it up to date, and the file in it. */
  source_id: string | null
  source_path: string | null
  created_at: number
  updated_at: number
}

/** An archive of eggs. */
export interface TemplateSourceRow {
  id: string
  name: string
  url: string
  folder: string
  allow_private: number
  every_hours: number | null
  next_sync_at: number | null
  /** Some panel reads it until then, ms since 1970. */
  busy_until: number
  /** JSON: what the last time brought. */
  last_sync: string | null
  created_at: number
}

export interface DatabaseHostRow {
  id: string
  name: string
  host: string
  port: number
  username: string
  /** Sealed. */
  password: string
  tls: number
  /** Most databases on it; null for no limit. */
  capacity: number | null
  created_at: number
}

/** A database of a server, on a registered host or on the server's node. */
export interface DatabaseRow {
  id: string
  server_id: string
  host_id: string | null
  node_id: string | null
  /** As its people call it. */
  name: string
  /** As its database server calls it. */
  real_name: string
  username: string
  remote: string
  /** Sealed. */
  password: string
  /** Sealed: the one that is being set. */
  next_password: string | null
  /** Where games reach it; null until it has been made. */
  host: string | null
  port: number | null
  state: 'creating' | 'ready' | 'rotating' | 'deleting'
  /** Somebody works on it until then, ms since 1970. */
  busy_until: number
  created_at: number
}

export interface UserRow {
  id: string
  email: string
  name: string
  /** Of a password that nobody knows where `has_password` is 0. */
  password_hash: string
  has_password: number
  instance_admin: number
  created_at: number
}

/** An OpenID provider that people sign in with. */
export interface IdentityProviderRow {
  id: string
  slug: string
  name: string
  issuer: string
  client_id: string
  /** Sealed; null for a client without one. */
  client_secret: string | null
  /** JSON: a list of names. */
  scopes: string
  new_accounts: 'nobody' | 'domains' | 'anybody'
  /** JSON: a list of domains. */
  domains: string
  enabled: number
  created_at: number
}

/** Who an account is at a provider. */
export interface LinkedIdentityRow {
  id: string
  user_id: string
  provider_id: string
  /** `sub`: the provider's own name for the person, which stays. Whatever else it says may change hands. */
  subject: string
  /** What to call the person there, for people who read a list. */
  account: string | null
  created_at: number
  last_used_at: number | null
}

export interface TwoFactorRow {
  user_id: string
  /** Sealed. */
  secret: string
  /** Null until a first code was confirmed: it is not asked for before. */
  enabled_at: number | null
  /** The 30-second step of the code that was used last: this one and those before it are used up. */
  last_step: number
}

export interface PasskeyRow {
  id: string
  user_id: string
  name: string
  /** base64url, as browsers name it. */
  credential_id: string
  /** COSE, in base64url. */
  public_key: string
  /** What the authenticator counted at its last use; it may only grow. Those that do not count stay at 0. */
  counter: number
  synced: number
  created_at: number
  last_used_at: number | null
}

export interface SshKeyRow {
  id: string
  user_id: string
  /** The API key by which it was added, if it was: it ends with that. */
  token_id: string | null
  name: string
  type: string
  /** `SHA256:` and the hash of the whole public key, which therefore need not be kept. */
  fingerprint: string
  created_at: number
  last_used_at: number | null
}

export interface SessionRow {
  id: string
  user_id: string
  secret_hash: string
  created_at: number
  last_used_at: number
  expires_at: number
  address: string
  user_agent: string | null
}

export interface WorkspaceRow {
  id: string
  slug: string
  name: string
  plan: 'standard' | 'enterprise'
  /** Requests a minute per key on plan enterprise. */
  rate_limit: number | null
  suspended_at: number | null
  created_at: number
}

/** An invitation to a workspace, or (with `server_id`) to one server of it. */
export interface InvitationRow {
  id: string
  workspace_id: string
  server_id: string | null
  /** JSON array, with `server_id`. */
  permissions: string | null
  email: string
  role: string
  secret_hash: string
  created_by: string
  created_at: number
  expires_at: number
}

export interface TokenRow {
  id: string
  workspace_id: string
  user_id: string
  label: string | null
  secret_hash: string
  created_at: number
  last_used_at: number | null
  expires_at: number | null
  revoked_at: number | null
}

export interface NodeRow {
  id: string
  name: string
  credential_hash: string | null
  join_hash: string | null
  join_expires_at: number | null
  public_address: string | null
  port_first: number
  port_last: number
  /** JSON of the last `NodeFacts`. */
  facts: string | null
  /** JSON object. */
  labels: string
  /** It gets no new servers since then; null for one in use. */
  maintenance_at: number | null
  /** How much of what it has may be promised; null for any amount. */
  memory_factor: number | null
  disk_factor: number | null
  cpu_factor: number | null
  last_seen_at: number | null
  created_at: number
  /** The data folder of `pharos up` whose node this is; null for one that has joined. */
  machine: string | null
}

/** Where the log says more or less than usual: `panel` (all of them), a node or an edge by its id; until then, ms since 1970. */
export interface LogLevelRow {
  part: string
  level: LogLevel
  until: number
}

export interface EdgeRow {
  id: string
  name: string
  credential_hash: string
  /** JSON of the last `EdgeHello`, without its credential. */
  hello: string | null
  last_seen_at: number | null
  created_at: number
  /** The data folder of `pharos up` whose edge this is; null for one of its own. */
  machine: string | null
}

export interface ServerRow {
  /** Eight hex digits: the short part of the public id. */
  id: string
  workspace_id: string
  owner_id: string
  node_id: string
  name: string
  /** The template's id. */
  template: string
  /** The template as it was when the server was made: a later edit of it changes no server behind its owner's back. */
  template_hash: string
  memory: number
  disk: number
  cpu: number
  /** JSON object. */
  variables: string
  restart_on_crash: number
  restart_on_hang: number
  /** It sleeps while nobody uses it, after so long. */
  wake_on_connect: number
  idle_minutes: number
  /** 1 until the server has been started once after its installation, where its creator asked for that. */
  start_when_installed: number
  /** The most ports it may have. */
  allocation_limit: number
  runtime: 'sandbox' | 'docker'
  /** The container image that was chosen for it; null for that of its template. */
  image: string | null
  /** JSON object of the labels that its node must have, besides those of its template. */
  placement: string
  /** It is held for this transfer, and its node with it. */
  transfer_id: string | null
  suspended_at: number | null
  /** Being deleted: finished as soon as the node answers. */
  deleted_at: number | null
  revision: number
  /** JSON of the last `ServerState` the node told. */
  state: string | null
  created_at: number
}

/** A server on its way from one node to another, or that was. */
export interface TransferRow {
  id: string
  server_id: string
  from_node: string
  to_node: string
  stage: TransferStage
  /** Start it on the target: 1 yes, 0 no, 2 if it runs when it begins. */
  start: number
  /** Somebody wants it to end; it does, unless the server has gone over already. */
  cancel: number
  /** How often its files have been copied. */
  attempts: number
  bytes_done: number
  bytes_total: number
  /** What is waited for, or went wrong. */
  message: string | null
  /** Which panel works on it, until when unless it says so again. */
  panel: string | null
  leased_until: number
  /** The node that it is not on may still have something of it. */
  leftover: number
  created_at: number
  ended_at: number | null
}

export interface AllocationRow {
  id: string
  node_id: string
  server_id: string
  port: number
  primary_port: number
  notes: string | null
  created_at: number
}

export interface BackupRow {
  id: string
  /** Also of a server that is gone: the row stays until the archive is removed. */
  server_id: string
  /** The node that keeps it where `place` says so; else the one that made it. */
  node_id: string
  name: string
  /** Patterns of what it leaves out. */
  ignored: string
  format: 'zstd' | 'gzip' | 'restic'
  /** JSON: which store it is in. */
  place: string
  state: 'pending' | 'running' | 'ready' | 'failed'
  locked: number
  /** The backup that goes when this one is ready. */
  replaces: string | null
  /** Of the files in it. */
  bytes: number
  files: number
  /** Of the archive. */
  size: number | null
  checksum: string | null
  message: string | null
  created_at: number
  completed_at: number | null
  /** Given up: removed as soon as its node and its store allow it. */
  deleted_at: number | null
  /** Another node that may have a copy: it goes there, or has come from there. */
  copy_node: string | null
  /** Where on that node, as `place` says it. */
  copy_place: string | null
}

export interface TunnelRow {
  id: string
  workspace_id: string
  name: string
  kind: 'http' | 'tls' | 'minecraft' | 'tcp' | 'udp' | 'tcp+udp' | 'allocation'
  /** The first of its ports on the edges, kept for this tunnel alone; null for kinds that are found by host name. */
  edge_port: number | null
  /** How many consecutive ones. */
  port_count: number
  /** With kind allocation: how players find it besides its port. */
  entrance: 'minecraft' | null
  allocation_id: string | null
  created_at: number
  /** Given up; the row stays because usage refers to it, and a tunnel of that name takes it up again. */
  deleted_at: number | null
}

/** One part of how a tunnel treats its visitors. `value`: JSON as the part's own slice keeps it; secrets in it are sealed. */
export interface TunnelSettingsRow {
  tunnel_id: string
  part: string
  value: string
  changed_at: number
}

/** Who has a port of the edges. `given_up_at`: nobody, but other workspaces do not get it for a while. */
export interface EdgePortRow {
  port: number
  tunnel_id: string
  workspace_id: string
  given_up_at: number | null
}

/** Null: no limit. A plan without a row has none. */
export interface PlanRow {
  name: WorkspaceRow['plan']
  tunnels: number | null
  connections: number | null
  bytes_per_second: number | null
  bytes_per_month: number | null
  /** 1: a page warns visitors first. */
  warns_visitors: number
}

/** What somebody has told of a host. */
export interface AbuseReportRow {
  id: string
  /** In lower case, as it was told; whose it is is looked up when it is told. */
  host: string
  url: string
  category: string
  message: string
  /** Of whoever told it; null where they left none. */
  email: string | null
  address: string
  tunnel_id: string | null
  workspace_id: string | null
  state: 'open' | 'closed'
  note: string | null
  closed_at: number | null
  created_at: number
}

export interface UsageCounterRow {
  edge_id: string
  epoch: string
  tunnel_id: string
  workspace_id: string
  day: number
  bytes_in: number
  bytes_out: number
  connections: number
  requests: number
  last_seen: number
}

/** What a server used during one step of time: a minute, five, or an hour. Made of whole numbers. */
export interface ServerStatsRow {
  server_id: string
  /** Milliseconds. */
  step: number
  /** When the step begins. */
  at: number
  samples: number
  /** Thousandths of a core. */
  cpu_average: number
  cpu_peak: number
  memory_average: number
  memory_peak: number
  disk: number
  rx: number | null
  tx: number | null
  /** The most at one moment. */
  players: number | null
}

export interface ScheduleRow {
  id: string
  server_id: string
  name: string
  cron: string
  time_zone: string
  enabled: number
  only_when_running: number
  missed: 'skip' | 'run_once'
  /** JSON array of `ScheduleTask`. */
  tasks: string
  /** Who saved it last: it acts with what that person may do. */
  editor_id: string
  created_at: number
  updated_at: number
  /** Due from then on; null while it is not enabled. */
  next_run_at: number | null
}

/** One run of a schedule, or why there was none. At most one for each moment of a schedule. */
export interface ScheduleRunRow {
  id: string
  schedule_id: string
  cause: 'cron' | 'manual'
  due_at: number
  started_at: number | null
  ended_at: number | null
  state: 'running' | 'done' | 'failed' | 'skipped' | 'missed' | 'interrupted'
  message: string | null
  /** How many missed runs it stands for. */
  missed: number
  editor_id: string
  /** JSON array of `TaskResult`. */
  tasks: string
  /** Which panel works on it, and when that panel last said so. */
  panel: string | null
  seen_at: number | null
}

/** One entry of the activity log. It refers to nothing: what was done stays true when the server, the person or the key is gone. */
export interface ActivityRow {
  /** Sorts as the entries happened. */
  id: string
  at: number
  /** The operation's name in the contract. */
  operation: string
  permission: string | null
  subject: string | null
  server_id: string | null
  workspace_id: string | null
  user_id: string | null
  email: string | null
  via: 'session' | 'token' | 'schedule' | 'sftp' | null
  /** Of the session, key or schedule. */
  via_id: string | null
  address: string | null
  user_agent: string | null
  outcome: 'done' | 'denied' | 'failed'
  code: string | null
}

/** What went wrong with a server that ran, as its node told it. */
export interface IncidentRow {
  server_id: string
  id: string
  kind: 'crash' | 'hang'
  at: number
  message: string
  code: number | null
  signal: string | null
  out_of_memory: number
  restarts: number
  /** JSON array. */
  lines: string
}

/** Whom a workspace has told of events: a URL, or a member by mail. */
export interface WebhookRow {
  id: string
  workspace_id: string
  label: string | null
  format: 'json' | 'discord' | 'mail'
  /** Sealed: a URL may be a secret itself. */
  target: string
  /** JSON array. */
  events: string
  /** Sealed. */
  secret: string
  /** Sealed: the one before, with which deliveries are signed too until then. */
  old_secret: string | null
  old_secret_until: number | null
  created_at: number
  created_by: string
  disabled_at: number | null
  disabled_why: string | null
  /** Since the first failure after a success; null while it works. */
  failing_since: number | null
  /** In a row. */
  failures: number
  /** Events that were not kept for it, since too many waited. */
  dropped: number
  /** A panel delivers to it until then, ms since 1970. */
  busy_until: number
  panel: string | null
}

/** One event on its way to one webhook, or that was. */
export interface WebhookDeliveryRow {
  id: string
  webhook_id: string
  /** What the event is, the same at every panel that sees it. */
  event_key: string
  event: string
  /** JSON of the event. */
  content: string
  created_at: number
  state: 'pending' | 'delivered' | 'failed'
  attempts: number
  next_at: number
  last_at: number | null
  /** Of the reply. */
  status: number | null
  /** What went wrong. */
  message: string | null
  took_ms: number | null
}

/** A panel that serves from this database, by the pin of its link key. */
export interface PanelRow {
  pin: string
  /** Where nodes and edges dial it. */
  host: string
  port: number
  /** Of its data folder's key for sealed secrets, to tell that all have the same. */
  key_mark: string
  /** Different for each start. */
  process: string
  seen_at: number
}

/** An edge of others that speaks the published edge contract. */
export interface ForeignEdgeRow {
  id: string
  name: string
  credential_hash: string
  /** Host names of its tunnels end in it. */
  base: string
  shape: 'hyphen' | 'subdomain' | 'flat'
  /** Where agents dial it: `edge.example.org:443`. */
  address: string | null
  /** JSON: the ids of the workspaces that alone may use it; null for all. */
  workspaces: string | null
  last_seen_at: number | null
  /** Records of its reports that were taken, and that were set aside. */
  accepted: number
  dropped: number
  /** Why the last one was set aside, in words. */
  last_dropped: string | null
  /** When it first reported requests one by one: its older kind of report gives no bytes since then. */
  counts_requests_since: number | null
  created_at: number
}

/** A host name that a foreign edge has reported traffic of; it stands in the usage in place of a tunnel. */
export interface ForeignHostRow {
  id: string
  edge_id: string
  workspace_id: string
  host: string
  first_seen_at: number
}

/** Somebody signs in from a terminal. */
export interface DeviceSignInRow {
  id: string
  /** SHA-256 of what the terminal polls with, and of what the person types. */
  device_hash: string
  user_hash: string
  /** What the program that asks calls itself. */
  client: string | null
  /** From where it asked. */
  address: string
  expires_at: number
  /** How long it must wait between two polls. */
  interval_ms: number
  polled_at: number | null
  /** `used`: the key was handed out. */
  state: 'pending' | 'approved' | 'denied' | 'used'
  /** Who approved it, and for which workspace. */
  user_id: string | null
  workspace_id: string | null
  /** The key with which it was approved, where it was not in a browser. */
  made_with: string | null
  key_expires_at: number | null
  created_at: number
}

/** A domain of a workspace. */
export interface DomainRow {
  id: string
  workspace_id: string
  tunnel_id: string
  /** In its ASCII form, in lower case; perhaps with `*.` before it. */
  name: string
  /** The same while the workspace has it, else null. No two rows have one. */
  held_name: string | null
  /** What its TXT record must say. */
  token: string
  /** The label below the operator's zone that its certificate's TXT record is set under. */
  delegation: string
  created_at: number
  /** When the proof was seen last; null until it was for the first time. */
  proved_at: number | null
  /** Since when the proof is gone. */
  lost_at: number | null
  /** Why it is not served any more. */
  off_why: string | null
  /** JSON of the last look at the DNS. */
  checked: string | null
  /** When to look next; null: only when somebody asks. */
  check_at: number | null
  /** Until when a panel has it for itself, and which. */
  busy_until: number
  panel: string | null
}

/** The certificate of a domain, and the order for the next one. Keys are sealed. */
export interface DomainCertificateRow {
  domain_id: string
  /** PEM, its chain behind it. */
  certificate: string | null
  key: string | null
  expires_at: number | null
  renew_at: number | null
  /** The order that is under way, and the key that its certificate will be for. */
  order_url: string | null
  order_key: string | null
  order_began_at: number | null
  /** In a row. */
  failures: number
  /** Why there is no certificate yet, in words, for programs, and as others have put it. */
  problem: string | null
  reason: CertificateReason | null
  detail: string | null
  /** When to try next; null: nothing is to be done. */
  next_at: number | null
}
