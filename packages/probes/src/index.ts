export {
  type AnswerOptions,
  answer,
  HEALTH_PATHS,
  type HealthAnswer,
  type HealthRequest,
  notFound,
} from './answer.ts';
export { createMonitor } from './background-monitor.ts';
export { type Clock, systemClock } from './clock.ts';
export { type Duration, parseDuration } from './duration.ts';
export { ProbeError, type ProbeErrorCode, ProbeOptionError } from './errors.ts';
export {
  bearerToken,
  type DetailPolicy,
  type HealthHandler,
  type HealthHandlerOptions,
  healthHandler,
} from './handler.ts';
export {
  HEALTH_JSON_TYPE,
  type HealthJson,
  type HealthJsonCheck,
  type HealthJsonOptions,
  type HealthJsonStatus,
  healthJson,
} from './health-json.ts';
export type { HistoryLimits } from './history.ts';
export type { Lookup } from './lookup.ts';
export type {
  Change,
  GroupView,
  Monitor,
  MonitorEvents,
  MonitoredProbe,
  MonitorOptions,
  Pause,
  ProbeSettings,
  ProbeView,
  Run,
  Snapshot,
} from './monitor.ts';
export {
  type ComponentType,
  type FunctionProbeOptions,
  type Observation,
  type Probe,
  type ProbeOutcome,
  probe,
} from './probe.ts';
export { type DiskProbeOptions, diskProbe } from './probes/disk.ts';
export { type EventLoopProbeOptions, eventLoopProbe } from './probes/event-loop.ts';
export { type HttpProbeOptions, type HttpTargetOptions, httpProbe } from './probes/http.ts';
export { type MemoryProbeOptions, memoryProbe } from './probes/memory.ts';
export {
  type ExpectedModels,
  expectModels,
  type ModelProbeOptions,
  modelProbe,
  parseModels,
  type ReportedModel,
} from './probes/model.ts';
export { type RedisProbeOptions, redisProbe } from './probes/redis.ts';
export { type SocketProbeOptions, type TcpProbeOptions, tcpProbe } from './probes/tcp.ts';
export { expectFreshTick, type TickProbeOptions, tickProbe } from './probes/tick.ts';
export { type TlsProbeOptions, tlsProbe } from './probes/tls.ts';
export { describeError, redact, redactValue } from './redact.ts';
export { aggregate, isHealthy, type Member, type RunResult, type Status } from './status.ts';
export type { UtilizationLimits } from './utilization.ts';
