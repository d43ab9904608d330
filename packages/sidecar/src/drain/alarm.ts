import { CallError } from '@botwarden/service/json-call';
import pRetry from 'p-retry';
import type { Alert } from '../alerts/alert.ts';
import type { BotPositions } from '../bot/bot.ts';
import type { Clock } from '../clock.ts';
import { backOff } from './back-off.ts';
import { cutOff, pause } from './cut-off.ts';
import type { EmergencyCall, EmergencyNotice } from './emergency.ts';
import type { Counts } from './machine.ts';
import type { Told } from './narration.ts';
import type { DrainView } from './record.ts';

/** What an alarm works with. */
export interface AlarmOptions {
  readonly clock: Clock;
  readonly emergency: EmergencyCall | null;
  readonly alert: (alert: Alert) => Promise<unknown>;
  readonly say: (told: Told) => void;
  readonly view: () => DrainView;
}

/** What is known to be open when the alarm is raised. */
export interface AlarmNotice {
  readonly reason: string;
  readonly counts: Counts | null;
  readonly detail: BotPositions['detail'];
}

/** Tells those who can do something about a drain. */
export interface DrainAlarm {
  /** The emergency call and the alert, for `limitMs` at most. Never rejects. */
  readonly raise: (what: 'close_refused' | 'not_flat', notice: AlarmNotice, limitMs: number) => Promise<void>;
  /** An alert alone, for `limitMs` at most. Never rejects. */
  readonly tell: (what: string, severity: Alert['severity'], text: string, limitMs: number) => Promise<void>;
}

/** The alarm of one drain. The emergency call is made once; a second alarm makes another only if the first one failed. */
export function createAlarm({ clock, emergency, alert, say, view }: AlarmOptions): DrainAlarm {
  let earlier: Promise<boolean> = Promise.resolve(false);

  async function callForHelp(notice: AlarmNotice, limitMs: number): Promise<void> {
    if (emergency === null) return;
    const before = earlier;
    earlier = (async () => (await before) || (await emergencyRound(emergency, notice, limitMs)))();
    await cutOff(limitMs, null, () => earlier).catch(() => undefined);
  }

  async function emergencyRound(
    call: EmergencyCall,
    { reason, counts, detail }: AlarmNotice,
    limitMs: number,
  ): Promise<boolean> {
    const { drain_id, boot, bot_instance } = view();
    const notice: EmergencyNotice = {
      drain_id,
      reason,
      boot,
      bot_instance,
      open_positions: counts?.open ?? null,
      pending_orders: counts?.pending ?? null,
      positions: counts === null ? { open: null, pending: null } : detail,
    };
    say({
      level: 'warn',
      event: 'drain.emergency',
      sentence: 'The emergency endpoint is being called with what is open.',
    });
    let last = 'no answer in time';
    // A little less than whoever waits for it has, so that its failure is still told.
    const endsBy = clock.elapsed() + limitMs * 0.95;
    try {
      await cutOff(endsBy - clock.elapsed(), null, (cut) =>
        pRetry(() => call(notice, cut), {
          retries: Number.POSITIVE_INFINITY,
          minTimeout: 0,
          signal: cut,
          onFailedAttempt: async ({ error, attemptNumber }) => {
            last = inWords(error);
            await pause(backOff(attemptNumber, endsBy - clock.elapsed()), cut);
          },
        }),
      );
    } catch {
      say({
        level: 'error',
        event: 'drain.emergency_failed',
        sentence: `The emergency call failed: ${last}.`,
      });
      return false;
    }
    say({
      level: 'warn',
      event: 'drain.emergency_answered',
      sentence: 'The emergency endpoint accepted the call.',
    });
    return true;
  }

  async function tell(
    what: string,
    severity: Alert['severity'],
    text: string,
    limitMs: number,
    fields: object = {},
  ): Promise<void> {
    const { steps: _, ...now } = view();
    const message: Alert = {
      key: `drain.${what}:${now.drain_id}`,
      event: `drain.${what}`,
      severity,
      text,
      urgent: true,
      fields: { ...now, ...fields },
    };
    await cutOff(limitMs, null, () => alert(message)).catch(() => undefined);
  }

  return {
    tell,
    async raise(what, notice, limitMs) {
      const { reason } = notice;
      const fields = what === 'not_flat' ? { state: what, reason } : {};
      await Promise.all([
        callForHelp(notice, limitMs),
        tell(what, 'critical', `NOT FLAT: ${reason}`, limitMs, fields),
      ]);
    },
  };
}

/** Its address is a secret, and an error may name a part of it. */
function inWords(error: unknown): string {
  if (!(error instanceof CallError)) return 'failed';
  return error.status === null ? error.code : `answered ${error.status}`;
}
