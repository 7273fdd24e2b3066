/** Made by `contract-plugin.ts` from the contract, without its schemas. */
declare module 'pharos:operations' {
  type Contract = typeof import('../../src/contract/api/index.ts')
  type Shape = 'method' | 'path' | 'family'
  type Shapes<T> = { readonly [K in keyof T]: Pick<T[K], Shape & keyof T[K]> }
  export const apiPrefix: Contract['apiPrefix']
  export const publicOperations: Shapes<Contract['publicOperations']>
  export const publicSockets: Shapes<Contract['publicSockets']>
  export const publicTransfers: Shapes<Contract['publicTransfers']>
}
