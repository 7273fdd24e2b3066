import type { documentOperations } from '../../contract/api/document.ts'
import type { Handlers } from '../../contract/operation.ts'
import type { PanelContexts } from '../access/index.ts'
import { openApiDocument } from './document.ts'

export const documentRoutes = (): Handlers<typeof documentOperations, PanelContexts> => {
  let document: ReturnType<typeof openApiDocument> | undefined
  return {
    openapi() {
      document ??= openApiDocument()
      return document as typeof document & { openapi: string }
    },
  }
}
