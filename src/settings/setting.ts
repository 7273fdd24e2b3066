import { z } from 'zod'
import { Email, Port } from '../contract/fields.ts'
import { Secret } from '../lib/secret.ts'

/**
 * One setting of a role, declared once: from its name come the flag (`--edge-http-port`), the variable
 * (`PHAROS_EDGE_HTTP_PORT`) and the key in the configuration file (`edge-http-port`).
 */
export interface Setting<T> {
  /** For `--help`: what it decides. */
  readonly help: string
  /** What a value looks like, for `--help` and for the error about a bad one: `a port from 1 to 65535`. */
  readonly expected: string
  /** From a flag or a variable always text; from the file whatever YAML makes of it. */
  readonly schema: z.ZodType<T>
  /** Written as it would be in the file. Without it the setting is left out of the values. */
  readonly default: string | undefined
  /** A secret has no flag: arguments are seen by every user of the machine. It may stand in a file that `<key>-file` names. */
  readonly secret: boolean
}

export type Settings = Readonly<Record<string, Setting<unknown>>>

/** What `resolveSettings` makes of declarations. */
export type Values<S extends Settings> = { [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

interface Words {
  help: string
  default?: string
}

/** A whole number written in digits, or as YAML's number. */
const wholeNumber = z.union([
  z.int(),
  z
    .string()
    .regex(/^[0-9]{1,9}$/)
    .transform(Number),
])

export const port = ({ help, default: preset }: Words & { default: string }): Setting<number> =>
  required({
    help,
    expected: 'a port from 0 to 65535; 0 takes any free one',
    schema: wholeNumber.pipe(z.int().min(0).max(65_535)),
    preset,
  })

export const count = ({ help, max, default: preset }: Words & { max: number; default: string }): Setting<number> =>
  required({
    help,
    expected: `a whole number from 0 to ${max}`,
    schema: wholeNumber.pipe(z.int().min(0).max(max)),
    preset,
  })

export interface PortRange {
  first: number
  last: number
}

/** The UDP port beside a TCP port. */
export const udpPort = ({ help, default: preset }: Words & { default: string }): Setting<'same' | 'none' | number> =>
  required({
    help,
    expected: 'same, none, or a port from 0 to 65535; 0 takes any free one',
    schema: z.union([z.enum(['same', 'none']), wholeNumber.pipe(z.int().min(0).max(65_535))]),
    preset,
  })

/** A port, or none at all. */
export const portOrNone = ({ help, default: preset }: Words & { default: string }): Setting<'none' | number> =>
  required({
    help,
    expected: 'none, or a port from 0 to 65535; 0 takes any free one',
    schema: z.union([z.literal('none'), wholeNumber.pipe(z.int().min(0).max(65_535))]),
    preset,
  })

/** `host`, or `host:port`. */
export const optionalAddress = ({
  help,
}: {
  help: string
}): Setting<{ host: string; port: number | null } | undefined> =>
  optional({
    help,
    expected: 'a host name or address, with :port where it is another one: sftp.example.com:30022',
    schema: z
      .string()
      .regex(/^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/)
      .transform((text) => {
        const [, host = '', port] = /^(.*?)(?::([0-9]+))?$/.exec(text) ?? []
        return { host: host.replace(/^\[|\]$/g, ''), port: port === undefined ? null : Number(port) }
      })
      .refine(({ port }) => port === null || (port >= 1 && port <= 65_535)),
  })

export const portRange = ({ help, default: preset }: Words & { default: string }): Setting<PortRange> =>
  required({
    help,
    expected: 'two ports and a hyphen, such as 30000-30999',
    schema: z
      .string()
      .regex(/^[0-9]{1,5}-[0-9]{1,5}$/)
      .transform((text) => {
        const [first, last] = text.split('-').map(Number)
        return { first, last }
      })
      .pipe(z.strictObject({ first: Port, last: Port }))
      .refine(({ first, last }) => first <= last),
    preset,
  })

/** A name or address without scheme and port. */
const hostSchema = z.string().regex(/^[A-Za-z0-9:._-]{1,253}$/)

export const host = ({ help, default: preset }: Words & { default: string }): Setting<string> =>
  required({ help, expected: 'a host name or an address, without a port', schema: hostSchema, preset })

export const region = ({ help, default: preset }: Words & { default: string }): Setting<string> =>
  required({
    help,
    expected: '1 to 32 lower-case letters, digits and hyphens',
    schema: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
    preset,
  })

export const optionalText = ({ help, expected }: { help: string; expected: string }): Setting<string | undefined> =>
  optional({ help, expected, schema: z.string().min(1).max(1000) })

export const optionalHost = ({ help }: { help: string }): Setting<string | undefined> =>
  optional({ help, expected: 'a host name or an address, without a port', schema: hostSchema })

/** Where to listen: `127.0.0.1:9464`, `[::1]:9464`. */
export const address = ({ help }: { help: string }): Setting<{ host: string; port: number } | undefined> =>
  optional({
    help,
    expected: 'an address and a port, such as 127.0.0.1:9464',
    schema: z
      .string()
      .regex(/^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}$/)
      .transform((text) => {
        const at = text.lastIndexOf(':')
        return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) }
      })
      .refine(({ port: number }) => number <= 65_535),
  })

export const optionalEmail = ({ help }: { help: string }): Setting<string | undefined> =>
  optional({ help, expected: 'an e-mail address', schema: Email })

export const optionalUrl = ({ help }: { help: string }): Setting<string | undefined> =>
  optional({
    help,
    expected: 'an address that begins with http:// or https://, without a path',
    schema: z
      .url({ protocol: /^https?$/ })
      .refine((url) => new URL(url).pathname === '/' && new URL(url).search === '')
      .transform((url) => new URL(url).origin),
  })

/** A URL of a service elsewhere, reached by nothing but HTTPS. */
export const optionalHttpsUrl = ({ help }: { help: string }): Setting<string | undefined> =>
  optional({
    help,
    expected: 'an address that begins with https://',
    schema: z.url({ protocol: /^https$/ }).max(2000),
  })

export const choice = <const T extends string>({
  help,
  of,
  default: preset,
}: {
  help: string
  of: readonly T[]
  default: T
}): Setting<T> => required({ help, expected: `one of ${of.join(', ')}`, schema: z.enum(of), preset })

/** One of a few words, or the place of something on this machine. */
export const choiceOrPath = ({
  help,
  of,
  default: preset,
}: {
  help: string
  of: readonly string[]
  default: string
}): Setting<string> =>
  required({
    help,
    expected: `an absolute path, or one of ${of.join(', ')}`,
    schema: z.string().refine((value) => of.includes(value) || value.startsWith('/')),
    preset,
  })

/** Several values: with commas in a flag or variable, a list in the file. */
export const list = <T>({
  help,
  expected,
  item,
}: {
  help: string
  expected: string
  item: z.ZodType<T, string>
}): Setting<T[]> =>
  required({
    help,
    expected,
    schema: z
      .union([
        z.string().transform((all) =>
          all
            .split(',')
            .map((one) => one.trim())
            .filter((one) => one !== ''),
        ),
        z.array(z.string()),
      ])
      .pipe(z.array(item).max(100)),
    preset: '',
  })

export const secret = ({
  help,
  expected,
  pattern = /./,
}: {
  help: string
  expected: string
  pattern?: RegExp
}): Setting<Secret | undefined> => ({
  ...optional({
    help,
    expected,
    schema: z
      .string()
      .min(1)
      .max(4096)
      .regex(pattern)
      .transform((value) => new Secret(value)),
  }),
  secret: true,
})

function required<T>({
  help,
  expected,
  schema,
  preset,
}: {
  help: string
  expected: string
  schema: z.ZodType<T>
  preset: string
}): Setting<T> {
  return { help, expected, schema, default: preset, secret: false }
}

function optional<T>({
  help,
  expected,
  schema,
}: {
  help: string
  expected: string
  schema: z.ZodType<T>
}): Setting<T | undefined> {
  return { help, expected, schema, default: undefined, secret: false }
}

/** `edge-http-port` of `edgeHttpPort`: the key in the file, and the flag after its two hyphens. */
export const keyOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `PHAROS_EDGE_HTTP_PORT` of `edgeHttpPort`. */
export const variableOf = (name: string): string => `PHAROS_${keyOf(name).toUpperCase().replaceAll('-', '_')}`
