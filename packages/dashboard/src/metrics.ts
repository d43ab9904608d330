import type { Monitor } from '@botwarden/probes';
import { collectProbeMetrics } from '@botwarden/probes/prometheus';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { VERSION } from './version.ts';

/** Everything that `/metrics` tells: the probes, the process, and what is the dashboard's own. */
export function createMetrics(options: {
  readonly monitor: Monitor;
  readonly openPages: () => number;
  readonly historyLost: () => number;
}): Registry {
  const { monitor, openPages, historyLost } = options;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  collectProbeMetrics(monitor, registry);
  new Gauge({
    name: 'botwarden_dashboard_open_pages',
    help: 'Pages that are open and kept up to date.',
    registers,
    collect() {
      this.set(openPages());
    },
  });
  new Counter({
    name: 'botwarden_dashboard_history_lost_total',
    help: 'Lines of history that were lost because the database was down for long.',
    registers,
    collect() {
      this.reset();
      this.inc(historyLost());
    },
  });
  new Gauge({
    name: 'botwarden_build_info',
    help: 'The version, as a label.',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  return registry;
}
