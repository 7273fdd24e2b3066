// The Model Context Protocol: tools for agents, made from the contract. The panel serves them over HTTP, the command line over stdio.

export { contractTools } from './contract-tools.ts'
export { type EndpointOptions, McpEndpoint, type Visitor } from './endpoint.ts'
export { elsewhere, instructions, localTools } from './instructions.ts'
export { messageBytesMax, sweepEveryMs } from './limits.ts'
export { createToolServer, type ToolServerOptions } from './server.ts'
export { type StdioOptions, serveOverStdio } from './stdio.ts'
export type { Api, Tool, ToolAnswer, ToolCall } from './tool.ts'
