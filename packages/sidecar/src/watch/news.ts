import { type Change, isHealthy, type Snapshot, type Status } from '@botwarden/probes';
import type { Alert } from '../alerts/alert.ts';
import type { EventLog } from '../event-log.ts';
import { isObstructed, isOpen, type Obstacle, obstaclesOf } from './unmendable.ts';

/** Tells what changes at the probes: to the log, and as alerts. */
export interface News {
  /** A probe or a group has changed. */
  readonly changed: (change: Change) => void;
  /** After each run: what a person must mend is told once, and again when it is over. */
  readonly look: (snapshot: Snapshot) => void;
}

export function createNews(options: {
  readonly log: EventLog;
  readonly alert: (alert: Alert) => void;
}): News {
  const { log, alert } = options;
  /** What was last known of each probe, and told. */
  const told = new Map<string, Status>();
  const obstacles = new Map<string, Obstacle>();
  let wasReady = false;

  function obstacle(found: Obstacle): void {
    const text = `The bot cannot be watched as it should: ${found.sentence}. No restart can mend this, and none is asked for.`;
    log.error({ event: 'bot.unmendable', code: found.code }, text);
    alert({
      key: `bot.unmendable.${found.code}`,
      event: 'bot.unmendable',
      severity: found.severity,
      text,
      fields: { code: found.code },
    });
  }

  function over({ code, sentence }: Obstacle): void {
    const text = `This is over: ${sentence}.`;
    log.info({ event: 'bot.unmendable_over', code }, text);
    alert({
      key: `bot.unmendable_over.${code}`,
      event: 'bot.unmendable_over',
      severity: 'info',
      text,
      fields: { code },
    });
  }

  return {
    look(snapshot) {
      const found = obstaclesOf(snapshot);
      for (const each of found) {
        if (!obstacles.has(each.code)) obstacle(each);
        obstacles.set(each.code, each);
      }
      // What is not known for the moment may be there still.
      if (obstacles.size === found.length || isOpen(snapshot)) return;
      for (const [code, each] of [...obstacles]) {
        if (found.some((still) => still.code === code)) continue;
        obstacles.delete(code);
        over(each);
      }
    },
    changed(change) {
      if (change.kind === 'group') {
        if (change.name !== 'readiness' || change.healthy === wasReady) return;
        wasReady = change.healthy;
        log.info(
          { event: 'ready', ready: wasReady },
          wasReady ? 'The bot is ready.' : 'The bot is not ready.',
        );
        return;
      }
      const { name, to, probe } = change;
      // Not known for the moment is not news; what comes of it is told against what was known before.
      if (to === 'unknown') return;
      const from = told.get(name) ?? 'unknown';
      // One cause is one alert, however many probes it fails.
      const obstructed = isObstructed(probe);
      if (!obstructed) told.set(name, to);
      if (from === to) return;
      const text = `Probe ${name} went from ${from} to ${to}${probe.output === undefined ? '' : `: ${probe.output}`}.`;
      log[isHealthy(to) ? 'info' : 'warn'](
        { event: 'probe.changed', probe: name, from, to, code: probe.code ?? null },
        text,
      );
      // What was never known to work is the start, not news.
      if (obstructed || (from === 'unknown' && isHealthy(to))) return;
      alert({
        key: `probe.${name}`,
        event: 'probe.changed',
        severity: isHealthy(to) ? 'info' : 'warning',
        text,
        fields: { probe: name, from, to },
      });
    },
  };
}
