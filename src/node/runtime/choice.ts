import type { Runtime } from '../runtime.ts'
import type { OpenedContainers } from './docker/open.ts'

/** One runtime of two: a server that asks for a container gets one, every other the machine's own. */
export function withContainers(base: Runtime, opened: OpenedContainers): Runtime {
  const { containers } = opened
  return {
    get capabilities() {
      return { ...base.capabilities, containers: opened.capabilities }
    },
    refresh: () => opened.refresh(),
    places: (request) => (request.container ? containers.places(request.shared) : base.places(request)),
    prepare: (folder) => base.prepare(folder),
    provide: (image, progress, signal) => containers.provide(image, progress, signal),
    async start(request) {
      const { container } = request
      if (!container) {
        await containers.sweep(request.folder)
        return base.start(request)
      }
      await base.sweep(request.folder)
      return containers.start({ ...request, container })
    },
    async install(request) {
      await base.sweep(request.folder)
      return containers.install(request)
    },
    find: async (folder) => (await containers.find(folder)) ?? base.find(folder),
    async sweep(folder) {
      await containers.sweep(folder)
      await base.sweep(folder)
    },
    confine: (request) => base.confine(request),
    async [Symbol.asyncDispose]() {
      opened[Symbol.dispose]()
      await base[Symbol.asyncDispose]()
    },
  }
}
