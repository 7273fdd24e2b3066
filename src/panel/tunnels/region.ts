import type { Labels } from '../../contract/placement.ts'

/** The label of a node that names its region. */
const regionLabel = 'region'

/** The region that an edge is in unless told otherwise. */
const regionDefault = 'default'

/**
 * Of these edges those that a node links to: the ones of the region that its label names. A node without one, or of a region that
 * has no edge, takes the default region, and where there is none that of the first edge: players must get there somehow.
 */
export function edgesFor<T>(labels: Labels, edges: readonly T[], regionOf: (edge: T) => string): T[] {
  const has = (region: string): boolean => edges.some((edge) => regionOf(edge) === region)
  const [first] = edges
  const own = labels[regionLabel]?.toLowerCase()
  const region = own !== undefined && has(own) ? own : has(regionDefault) || !first ? regionDefault : regionOf(first)
  return edges.filter((edge) => regionOf(edge) === region)
}
