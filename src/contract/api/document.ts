import { z } from 'zod'
import { operation } from '../operation.ts'

export const documentOperations = {
  openapi: operation({
    family: 'control',
    tag: 'Document',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    access: 'public',
    reply: z.looseObject({ openapi: z.string() }),
    errors: [],
  }),
}
