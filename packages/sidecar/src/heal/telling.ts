import type { Alert } from '../alerts/alert.ts';
import type { Clock } from '../clock.ts';
import type { EventLog } from '../event-log.ts';
import { nameOf } from './boot.ts';
import type { Healer } from './healer.ts';

/** Tells what healing does: to the log, and as alerts. */
export function tellHealing(options: {
  readonly healer: Healer;
  readonly log: EventLog;
  readonly alert: (alert: Alert) => void;
  readonly clock: Pick<Clock, 'elapsed'>;
}): void {
  const { healer, log, alert, clock } = options;
  /** Of the verdict that was alerted last: one that nobody carried out is not told again and again. */
  let alerted = '';

  /** What a person must act on. */
  const demand = (event: string, text: string, fields: object = {}): void => {
    log.error({ event, ...fields }, text);
    alert({ key: event, event, severity: 'critical', text, fields });
  };

  healer.on('verdict', ({ reason, because, boot }) => {
    const text = `Restart of the bot asked for: ${because}.`;
    log.error({ event: 'heal.verdict', reason, boot }, text);
    const same = `${reason} ${boot}`;
    if (same !== alerted)
      alert({ key: 'heal', event: 'heal.verdict', severity: 'warning', text, fields: { reason, boot } });
    alerted = same;
  });
  healer.on('ended', ({ reason, boot }) => {
    const left = healer.state().cooldownUntil - clock.elapsed();
    log.info(
      { event: 'heal.ended', reason, boot },
      `The restart verdict no longer stands; none is asked for in the next ${Math.max(0, Math.round(left / 1000))} s.`,
    );
  });
  healer.on('boot', ({ asked, healed }) => {
    alerted = '';
    const name = nameOf(healer.state().boot);
    const why = healed !== null ? 'a restart was asked for' : asked ? 'after a drain' : 'nobody asked for it';
    log[asked ? 'info' : 'warn'](
      { event: 'boot', boot: name, asked, healed },
      `Another boot of the bot is there${name === null ? '' : ` (${name})`}: ${why}.`,
    );
  });
  healer.on('capped', (why) =>
    demand(
      'heal.capped',
      `The bot needs a person: ${why}. No restart is asked for until the bot was ready once, or somebody says so with POST /acknowledge.`,
    ),
  );
  healer.on('crashLoop', (boots) =>
    demand(
      'boot.crash_loop',
      `The bot is in a crash loop: ${boots} starts within ten minutes that nobody asked for. Look at its log.`,
      { boots },
    ),
  );
  healer.on('unheeded', () =>
    demand(
      'heal.unheeded',
      'Nobody carries out restarts: one is asked for, no gate holds the lease, and nobody asks /livez. Start the bot under hold-until-flat with DRAIN_TOKEN, or restart it by hand.',
    ),
  );
}
