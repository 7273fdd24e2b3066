import type { LinkProps } from '@tanstack/react-router'
import {
  Braces,
  Cable,
  ChartColumn,
  Database,
  Gauge,
  Globe,
  HardDrive,
  History,
  IdCard,
  KeyRound,
  type LucideIcon,
  RadioTower,
  Server,
  Shapes,
  Siren,
  UserRound,
  Users,
  Waypoints,
  Webhook,
} from 'lucide-react'
import { rolePermissions, type WorkspacePermission } from '../../src/contract/permissions.ts'
import { useText } from '../i18n/language.tsx'
import { useAccount, useWorkspace } from '../session/session.ts'
import { appText } from './text.ts'

/** A page of the main menu. */
export interface Place {
  to: NonNullable<LinkProps['to']>
  icon: LucideIcon
  label: string
}

export interface PlaceGroup {
  /** Null for the first, which needs no title. */
  title: string | null
  places: readonly Place[]
}

/** Every page of the main menu that the person can use in the workspace that is looked at. */
export function usePlaces(): readonly PlaceGroup[] {
  const t = useText(appText)
  const workspace = useWorkspace()
  const { instanceAdmin } = useAccount()
  const may = (permission: WorkspacePermission): boolean =>
    workspace !== null && rolePermissions[workspace.role].includes(permission)
  const groups: { title: string | null; places: (Place & { shown: boolean })[] }[] = [
    {
      title: null,
      places: [
        { to: '/servers', icon: Server, label: t.servers, shown: true },
        { to: '/tunnels', icon: Cable, label: t.tunnels, shown: may('tunnels.read') },
        { to: '/domains', icon: Globe, label: t.domains, shown: may('tunnels.read') },
      ],
    },
    {
      title: t.workspace,
      places: [
        { to: '/usage', icon: ChartColumn, label: t.usage, shown: may('usage.read') },
        { to: '/keys', icon: KeyRound, label: t.keys, shown: may('tokens.read') },
        { to: '/members', icon: Users, label: t.members, shown: may('members.read') },
        { to: '/webhooks', icon: Webhook, label: t.webhooks, shown: may('webhooks.read') },
        { to: '/activity', icon: History, label: t.activity, shown: may('activity.read') },
        { to: '/api', icon: Braces, label: t.apiReference, shown: true },
      ],
    },
    {
      title: t.administration,
      places: [
        { to: '/admin/nodes', icon: HardDrive, label: t.nodes, shown: instanceAdmin },
        { to: '/admin/edges', icon: RadioTower, label: t.edges, shown: instanceAdmin },
        { to: '/admin/foreign-edges', icon: Waypoints, label: t.foreignEdges, shown: instanceAdmin },
        { to: '/admin/templates', icon: Shapes, label: t.templates, shown: instanceAdmin },
        { to: '/admin/database-hosts', icon: Database, label: t.databaseHosts, shown: instanceAdmin },
        { to: '/admin/plans', icon: Gauge, label: t.plans, shown: instanceAdmin },
        { to: '/admin/abuse', icon: Siren, label: t.abuse, shown: instanceAdmin },
        { to: '/admin/users', icon: UserRound, label: t.users, shown: instanceAdmin },
        { to: '/admin/identity-providers', icon: IdCard, label: t.identityProviders, shown: instanceAdmin },
      ],
    },
  ]
  return groups
    .map(({ title, places }) => ({ title, places: places.filter(({ shown }) => shown) }))
    .filter(({ places }) => places.length > 0)
}
