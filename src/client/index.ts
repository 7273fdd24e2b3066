export { ApiError, type ApiErrorCode, type ReceivedReply, type Send, type SentRequest } from '../contract/exchange.ts'
export { type CallOptions, type Client, type ClientOptions, createClient, sendByFetch } from './client.ts'
export { type LiveSocket, openSocket, type SocketOptions } from './socket.ts'
