export { Mcp, mcpPath } from './mcp.ts'
