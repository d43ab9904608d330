import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Monitor } from './monitor.ts';
import { isHealthy } from './status.ts';

/** Options of {@link collectProbeMetrics}. */
export interface ProbeMetricsOptions {
  /** Upper bounds of the duration histogram, in seconds. Default 0.005 to 10. */
  buckets?: number[];
  /** What `botwarden_ready` says. Default: whether the monitor's `readiness` is healthy. */
  ready?: () => boolean;
}

/**
 * Puts the metrics of a monitor on a registry: `botwarden_probe_up`, `botwarden_probe_duration_seconds`,
 * `botwarden_probe_runs_total`, `botwarden_probe_last_success_timestamp_seconds` and `botwarden_ready`. A scrape reads
 * memory; it never runs a probe. Give each monitor a registry of its own: names must be unique on one.
 *
 * @returns a function that takes the metrics off again.
 */
export function collectProbeMetrics(
  monitor: Monitor,
  registry: Registry,
  options: ProbeMetricsOptions = {},
): () => void {
  const registers = [registry];
  const { ready = () => monitor.group('readiness').healthy } = options;
  const up = new Gauge({
    name: 'botwarden_probe_up',
    help: '1 while the probe is healthy (pass or warn), else 0.',
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const probe of monitor.snapshot().probes)
        this.set({ probe: probe.name }, isHealthy(probe.status) ? 1 : 0);
    },
  });
  const lastSuccess = new Gauge({
    name: 'botwarden_probe_last_success_timestamp_seconds',
    help: 'When the probe last passed, in seconds since 1970.',
    labelNames: ['probe'],
    registers,
    collect() {
      this.reset();
      for (const { name, lastSuccessAt } of monitor.snapshot().probes) {
        if (lastSuccessAt !== undefined) this.set({ probe: name }, lastSuccessAt.getTime() / 1000);
      }
    },
  });
  const readyGauge = new Gauge({
    name: 'botwarden_ready',
    help: '1 while every critical probe passes, else 0.',
    registers,
    collect() {
      this.set(ready() ? 1 : 0);
    },
  });
  const duration = new Histogram({
    name: 'botwarden_probe_duration_seconds',
    help: 'How long runs of the probe took.',
    labelNames: ['probe'],
    buckets: options.buckets ?? [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const runs = new Counter({
    name: 'botwarden_probe_runs_total',
    help: 'Runs of the probe, by outcome.',
    labelNames: ['probe', 'outcome'],
    registers,
  });
  const off = monitor.on('run', ({ name, result }) => {
    duration.observe({ probe: name }, result.durationMs / 1000);
    runs.inc({ probe: name, outcome: result.outcome });
  });
  return () => {
    off();
    for (const metric of [up, lastSuccess, readyGauge, duration, runs]) {
      registry.removeSingleMetric((metric as unknown as { name: string }).name);
    }
  };
}
