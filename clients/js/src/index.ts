export { createClient, type Client, type ClientOptions, type Credentials, type SessionInfo, type User } from './client.js';
export type { Clock } from './clock.js';
export { CountersignError, NetworkError, SignedOutError, type EndReason, type FieldProblem } from './errors.js';
export type { SessionEvent } from './session.js';
export { memoryStorage, type SessionStorage } from './storage.js';
