import { nodeDatabaseOperations } from '../../contract/node-databases.ts'
import type { Contexts } from '../../contract/operation.ts'
import { type ApiPart, part } from '../../http/index.ts'
import { Secret } from '../../lib/secret.ts'
import type { Databases } from './databases.ts'

/** What panels ask of the databases of this machine's games. */
export const databasePart = (databases: Databases): ApiPart =>
  part<typeof nodeDatabaseOperations, Contexts>(nodeDatabaseOperations, {
    hasDatabase: async ({ params }) => ({ exists: await databases.has(params.database) }),
    createDatabase: ({ params, body }) =>
      databases.create({ database: params.database, user: body.user, remote: body.remote }, new Secret(body.password)),
    async setDatabasePassword({ params, body }) {
      const what = { database: params.database, user: body.user, remote: body.remote }
      await databases.setPassword(what, new Secret(body.password))
      return {}
    },
    async dropDatabase({ params, query }) {
      await databases.drop({ database: params.database, ...query })
      return {}
    },
    async databaseSizes({ body }) {
      const sizes = await databases.sizes(body.databases)
      return { sizes: [...sizes].map(([database, bytes]) => ({ database, bytes })) }
    },
  })
