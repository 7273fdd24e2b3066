/** Paths on a server, from its own root: `/`, `/config`, `/config/server.properties`. */
export const root = '/'

export const join = (folder: string, name: string): string => `${folder === root ? '' : folder}/${name}`

/** The names on the way down; none for the root. */
export const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '')

/** As it is written everywhere here: one slash first, none last. */
export const plain = (path: string): string => `/${partsOf(path).join('/')}`

export const parentOf = (path: string): string => plain(partsOf(path).slice(0, -1).join('/'))

export const nameOf = (path: string): string => partsOf(path).at(-1) ?? ''

/** What in a name no folder can have; the panel says so, too, but only after a trip. */
export const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !name.includes('/')
