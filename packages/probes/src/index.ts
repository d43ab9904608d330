export { type Clock, systemClock } from './clock.ts';
export { type Duration, parseDuration } from './duration.ts';
export { ProbeError, type ProbeErrorCode, ProbeOptionError } from './errors.ts';
export {
  HEALTH_JSON_TYPE,
  type HealthJson,
  type HealthJsonCheck,
  type HealthJsonOptions,
  type HealthJsonStatus,
  healthJson,
} from './health-json.ts';
export type { HistoryLimits } from './history.ts';
export {
  type Change,
  createMonitor,
  type GroupView,
  type Monitor,
  type MonitorEvents,
  type MonitoredProbe,
  type MonitorOptions,
  type Pause,
  type ProbeSettings,
  type ProbeView,
  type Run,
  type Snapshot,
} from './monitor.ts';
export {
  type ComponentType,
  type FunctionProbeOptions,
  type Observation,
  type Probe,
  type ProbeOutcome,
  probe,
} from './probe.ts';
export { type HttpProbeOptions, type HttpTargetOptions, httpProbe } from './probes/http.ts';
export {
  type ExpectedModels,
  expectModels,
  type ModelProbeOptions,
  modelProbe,
  parseModels,
  type ReportedModel,
} from './probes/model.ts';
export { expectFreshTick, type TickProbeOptions, tickProbe } from './probes/tick.ts';
export { describeError, redact, redactValue } from './redact.ts';
export { aggregate, isHealthy, type Member, type RunResult, type Status } from './status.ts';
