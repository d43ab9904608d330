import type { Monitor } from '@botwarden/probes';
import { collectProbeMetrics } from '@botwarden/probes/prometheus';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Drainer } from './drain/drain.ts';
import type { Guard } from './guard.ts';
import { VERSION } from './version.ts';
import type { OpenNow } from './watch/open-now.ts';

/** What the metrics read. */
export interface MetricsOptions {
  readonly monitor: Monitor;
  readonly guard: Guard;
  readonly drainer: Drainer;
  readonly openNow: () => OpenNow | null;
}

/** A registry with every metric of the sidecar. A scrape reads memory only. */
export function createMetrics({ monitor, guard, drainer, openNow }: MetricsOptions): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectProbeMetrics(monitor, registry, { ready: () => guard.ready().ready });
  gauge('botwarden_live', '1 while the bot should be left alone, 0 while a restart is asked for.', () =>
    guard.live().live ? 1 : 0,
  );
  gauge('botwarden_drain_active', '1 while a drain runs.', () => (drainer.current() === null ? 0 : 1));

  const open = new Gauge({
    name: 'botwarden_open_positions',
    help: 'Open positions as last read from the bot; absent while unknown.',
    registers,
    collect() {
      const now = openNow();
      // An unknown number is not zero: the series ends instead.
      if (now === null) this.remove();
      else this.set(now.open_positions);
    },
  });
  open.remove();

  const heals = new Counter({ name: 'botwarden_heals_total', help: 'Restart verdicts.', registers });
  guard.onHeal(() => heals.inc());
  const drains = new Counter({
    name: 'botwarden_drains_total',
    help: 'Drains that ended, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['flat', 'not_flat', 'nothing_to_do', 'abandoned']) drains.inc({ outcome }, 0);
  const duration = new Histogram({
    name: 'botwarden_drain_duration_seconds',
    help: 'How long drains took.',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300],
    registers,
  });
  let counted = '';
  drainer.on('change', (view) => {
    // An end is told when it is decided, and again when its receipt is kept.
    if (view.phase !== 'ended' || view.drain_id === counted) return;
    counted = view.drain_id;
    drains.inc({ outcome: view.state });
    duration.observe(view.duration_ms / 1000);
  });
  new Gauge({
    name: 'botwarden_build_info',
    help: 'Always 1; the label tells the version.',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  return registry;

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
