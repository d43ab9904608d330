import type { Monitor } from '@botwarden/probes';
import { collectProbeMetrics } from '@botwarden/probes/prometheus';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Drainer } from './drain/drain.ts';
import type { Guard } from './guard.ts';
import { VERSION } from './version.ts';
import type { OpenNow } from './watch/open-now.ts';

/** What the metrics read. */
export interface MetricsOptions {
  /** BOT_NAME, the label `bot` of every metric. */
  readonly botName: string;
  readonly monitor: Monitor;
  readonly guard: Guard;
  readonly drainer: Drainer;
  readonly openNow: () => OpenNow | null;
  /** Whether a gate holds the lease. */
  readonly leaseHeld: () => boolean;
  /** Whether a person's drain stands. */
  readonly held: () => boolean;
  /** How many positions vanished between two boots. */
  readonly vanished: () => number;
  readonly undelivered: () => number;
  readonly defects: () => number;
  /** What waits for a person, by the names of `POST /acknowledge`. */
  readonly personNeeded: () => Readonly<Record<PersonNeeded, boolean>>;
}

/** What only a person can end, with `POST /acknowledge`. */
export type PersonNeeded = 'drain' | 'vanished_positions' | 'restarts';

/** A registry with every metric of the sidecar. A scrape reads memory only. */
export function createMetrics(options: MetricsOptions): Registry {
  const { monitor, guard, drainer, openNow } = options;
  const registry = new Registry();
  registry.setDefaultLabels({ bot: options.botName });
  const registers = [registry];
  collectProbeMetrics(monitor, registry, { ready: () => guard.ready().ready });
  gauge('botwarden_live', '1 while the bot should be left alone, 0 while a restart is asked for.', () =>
    guard.live().live ? 1 : 0,
  );
  gauge(
    'botwarden_restart_pending',
    '1 while a restart is needed that was asked for and that no boot has followed, over cool-downs.',
    () => (guard.restartPending() ? 1 : 0),
  );
  gauge('botwarden_lease_held', '1 while the gate of a boot holds the lease.', () =>
    options.leaseHeld() ? 1 : 0,
  );
  gauge('botwarden_hold', "1 while a person's drain stands, so that nothing is restarted.", () =>
    options.held() ? 1 : 0,
  );
  gauge(
    'botwarden_vanished_positions',
    'Positions that an earlier boot had and the next one does not report, without a close in between.',
    options.vanished,
  );
  gauge('botwarden_alerts_undelivered', 'Alerts that nobody took so far.', options.undelivered);
  new Gauge({
    name: 'botwarden_person_needed',
    help: '1 while a person must look at the exchange and acknowledge: after a drain that ended badly or was cut off, positions that vanished, or the cap of restarts. Outlives the sidecar, unlike the counters.',
    labelNames: ['reason'],
    registers,
    collect() {
      for (const [reason, needed] of Object.entries(options.personNeeded()))
        this.set({ reason }, needed ? 1 : 0);
    },
  });
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
  const boots = new Counter({
    name: 'botwarden_boots_total',
    help: 'Boots of the bot that followed another one; asked: after a restart verdict or a drain.',
    labelNames: ['asked'],
    registers,
  });
  for (const asked of ['true', 'false']) boots.inc({ asked }, 0);
  guard.onBoot(({ asked }) => boots.inc({ asked: String(asked) }));
  new Counter({
    name: 'botwarden_defects_total',
    help: 'Errors of Botwarden itself.',
    registers,
    collect() {
      this.reset();
      this.inc(options.defects());
    },
  });
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
