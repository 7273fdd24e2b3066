/** A larger file is left alone, in bytes: the largest configuration of a game that is known has some hundred kilobytes. */
export const patchedBytesMax = 1024 * 1024

/** The same for YAML, in bytes: the worst document of this size keeps the node busy for some hundred milliseconds, and honest ones are a fifth of it. */
export const yamlBytesMax = 128 * 1024

/** How often an alias of a YAML document may be resolved in all: an honest file has a handful. */
export const yamlAliasesMax = 100

/** Elements inside each other, and steps of a path. Far beyond what any game writes. */
export const depthMax = 64

/** How many values one wildcard path may set. */
export const placesMax = 1_000
