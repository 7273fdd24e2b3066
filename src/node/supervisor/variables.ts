import type { ServerSpec } from '../../contract/node.ts'

/** Everything that `{{NAME}}` can mean for this server. What is built in cannot be changed by a variable of the same name, but for `SERVER_NAME`. */
export function valuesOf(spec: ServerSpec, templateFolder: string): Record<string, string> {
  return {
    SERVER_NAME: spec.name,
    ...spec.variables,
    SERVER_ID: spec.id,
    SERVER_PORT: String(spec.allocations[0]?.port ?? ''),
    SERVER_IP: '0.0.0.0',
    SERVER_MEMORY: String(spec.resources.memory),
    SERVER_MEMORY_MB: String(spec.resources.memory),
    HOST_ADDRESS: '127.0.0.1',
    TEMPLATE_DIR: templateFolder,
  }
}

/** Replaces each `{{NAME}}` once: what a value brings in is not looked at again. A name that means nothing stays as it is. */
export function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  )
}
