import { AppError, conflict, forbidden } from '../../contract/errors.ts'
import type { RuntimeKind, Template } from '../../contract/template.ts'
import type { LiveNode } from '../nodes/index.ts'

/** Where a server runs. */
export interface RuntimeChoice {
  runtime: RuntimeKind
  /** Null for the template's own. */
  image: string | null
}

/** Whether a node runs servers in containers, as it said last. */
export const runsContainers = ({ facts }: Pick<LiveNode, 'facts'>): boolean => Boolean(facts?.capabilities.containers)

/**
 * Where a new server runs: as asked, else in a container where its template names images and some node can. Throws
 * `invalid_request` and `forbidden`.
 */
export function chooseRuntime(
  template: Template,
  asked: { runtime?: RuntimeKind | undefined; image?: string | undefined },
  nodes: readonly LiveNode[],
  by: { instanceAdmin: boolean },
): RuntimeChoice {
  const usual = template.images && nodes.some(runsContainers) ? 'docker' : 'sandbox'
  const runtime = asked.runtime ?? (asked.image === undefined ? usual : 'docker')
  return checkedRuntime(template, { runtime, image: asked.image ?? null }, by)
}

/** The same for a server that is there. Throws `conflict` where its node runs no containers. */
export function changeRuntime(
  template: Template,
  now: RuntimeChoice,
  asked: { runtime?: RuntimeKind | undefined; image?: string | null | undefined },
  node: LiveNode | null,
  by: { instanceAdmin: boolean },
): RuntimeChoice {
  const runtime = asked.runtime ?? now.runtime
  // An image that was chosen earlier is not chosen again by whoever changes something else.
  const image = asked.image === undefined ? (runtime === 'docker' ? now.image : null) : asked.image
  const choice = checkedRuntime(template, { runtime, image }, asked.image == null ? { instanceAdmin: true } : by)
  if (runtime === 'docker' && node && !runsContainers(node))
    throw conflict(
      `Node ${node.name} runs no containers: install Docker Engine or Podman there, move the server to another node, or let it run in the sandbox.`,
    )
  return choice
}

function checkedRuntime(template: Template, choice: RuntimeChoice, by: { instanceAdmin: boolean }): RuntimeChoice {
  const { runtime, image } = choice
  const own = template.images?.map((one) => one.image) ?? []
  if (runtime === 'sandbox' && image !== null) throw refused('image', 'is for servers that run in a container')
  if (runtime === 'docker' && image === null && own.length === 0)
    throw refused('image', `is needed: template ${template.id} names no container image of its own`)
  if (image !== null && !own.includes(image) && !by.instanceAdmin)
    throw forbidden(
      own.length === 0
        ? `Template ${template.id} names no container images, and others are for administrators of the installation.`
        : `Image ${image} is none of template ${template.id}, and others are for administrators of the installation. Choose one of ${own.join(', ')}.`,
    )
  return choice
}

const refused = (field: string, problem: string): AppError =>
  new AppError('invalid_request', `body.${field} ${problem}`, { details: [{ where: `body.${field}`, problem }] })
