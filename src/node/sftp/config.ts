import { z } from 'zod'

/** Where SFTP is served. */
export const SftpConfig = z.strictObject({
  host: z.string().default('0.0.0.0'),
  /** 0 takes any free one. */
  port: z.int().min(0).max(65_535).default(2022),
  /** What people are told instead of the node's own address: a name, or where a router or tunnel takes them. Its port unless another is told. */
  address: z
    .strictObject({ host: z.string(), port: z.int().min(1).max(65_535).nullable() })
    .nullable()
    .default(null),
})
export type SftpConfig = z.output<typeof SftpConfig>
