import { type HealthJson, healthJson, type Snapshot } from '@botwarden/probes';
import type { Vanished } from '../drain/machine.ts';
import type { TickBound } from '../heal/cadence.ts';
import type { HealState } from '../heal/heal.ts';
import { VERSION } from '../version.ts';
import { selfOf } from './facts.ts';
import type { OpenNow } from './open-now.ts';

/** What `/healthz` shows: a health document, and beside the draft what a dashboard wants to know. */
export interface HealthDocument extends HealthJson {
  bot: {
    name: string;
    instance: string | null;
    trading: 'running' | 'halted' | null;
    database: 'connected' | 'disconnected' | null;
    last_tick_at: string | null;
  };
  positions: OpenNow | null;
  drain: { active: boolean; unfinished: boolean };
  /** A person's drain; null when none stands. */
  hold: { since: string; reason: string } | null;
  /** Positions that one boot had and the next one does not report, and that wait for a person; null where none do. */
  vanished: { boot: string; open: number; now_open: number } | null;
  /** When a person last looked at the exchange (`POST /acknowledge`), ISO 8601: drains that ended later wait for one. */
  acknowledged_at: string | null;
  heal: {
    live: boolean;
    reason: string | null;
    /** Restarts of the last hour. */
    heals_last_hour: number;
    /** Past the cap: a person is needed. */
    capped: boolean;
    /** The id of the current boot; null while unknown. */
    boot: string | null;
    /** Whether the gate of a boot holds the lease. */
    lease_held: boolean;
    /** Seconds until another restart may be asked for; 0 when it may be now. */
    cooldown_s: number;
    /** How old the last tick may be, in seconds, and whether that is still being learnt from the bot. */
    tick_max_age_s: number;
    tick_learning: boolean;
    /** Starts of the bot that nobody asked for, within the last ten minutes. */
    boots_unasked: number;
  };
  alerts: { undelivered: number };
}

/** What a health document is made of. */
export interface HealthParts {
  readonly snapshot: Snapshot;
  readonly botName: string;
  /** Why the bot is not ready; null when it is. */
  readonly unready: string | null;
  readonly state: HealState;
  readonly boot: string | null;
  readonly leaseHeld: boolean;
  /** Seconds until another restart may be asked for; 0 when it may be now. */
  readonly cooldownS: number;
  readonly tick: TickBound;
  readonly positions: OpenNow | null;
  readonly drain: { readonly active: boolean; readonly unfinished: boolean };
  readonly hold: { readonly since: string; readonly reason: string } | null;
  readonly vanished: Vanished | null;
  readonly acknowledgedAt: string | null;
  readonly undelivered: number;
  /** What does not make the bot unready, and yet should be looked at; one sentence each. */
  readonly concerns: readonly string[];
}

/** Puts the document of `/healthz` together. Pure. */
export function healthDocument(parts: HealthParts): HealthDocument {
  const { snapshot, unready, state, concerns, hold, vanished } = parts;
  const { verdict, capped } = state;
  const self = selfOf(snapshot);
  const failing = [
    ...(unready === null ? [] : [unready]),
    ...(verdict === null ? [] : [`restart of the bot asked for: ${verdict.because}`]),
    ...(capped === null ? [] : [`a person is needed: ${capped}`]),
  ];
  const notes = [...failing, ...concerns];
  const status =
    failing.length > 0 ? 'fail' : concerns.length > 0 || snapshot.status !== 'pass' ? 'warn' : 'pass';
  return {
    ...healthJson(snapshot, {
      status,
      version: '1',
      releaseId: VERSION,
      serviceId: 'botwarden-sidecar',
      description: 'a trading bot, as its sidecar sees it',
      ...(notes.length === 0 ? {} : { notes }),
      ...(failing.length === 0 ? {} : { output: failing.join('; ') }),
    }),
    bot: {
      name: parts.botName,
      instance: self.instance,
      trading: self.trading,
      database: self.database,
      last_tick_at: self.lastTickAt,
    },
    positions: parts.positions,
    drain: { ...parts.drain },
    hold: hold === null ? null : { since: hold.since, reason: hold.reason },
    vanished:
      vanished === null ? null : { boot: vanished.boot, open: vanished.open, now_open: vanished.nowOpen },
    acknowledged_at: parts.acknowledgedAt,
    heal: {
      live: verdict === null,
      reason: verdict?.reason ?? null,
      heals_last_hour: state.heals.length,
      capped: capped !== null,
      boot: parts.boot,
      lease_held: parts.leaseHeld,
      cooldown_s: parts.cooldownS,
      tick_max_age_s: parts.tick.maxAgeMs / 1000,
      tick_learning: parts.tick.learning,
      boots_unasked: state.crashes.at.length,
    },
    alerts: { undelivered: parts.undelivered },
  };
}
