import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { VanishedPositions } from '../boots/vanished.ts';
import type { Clock } from '../clock.ts';
import type { Drainer } from '../drain/drain.ts';
import type { Hold } from '../drain/hold.ts';
import type { ReceiptLog } from '../drain/receipts.ts';
import type { EventLog } from '../event-log.ts';
import type { Guard } from '../guard.ts';

/** What `acknowledged.json` holds: when a person looked last, ISO 8601. */
export const lookedSchema = z.object({ at: z.iso.datetime() });
export type Looked = z.output<typeof lookedSchema>;

/** What the calls work with. */
export interface PersonCallsOptions {
  readonly guard: Pick<Guard, 'acknowledge' | 'restartHalted'>;
  readonly drainer: Pick<Drainer, 'current'>;
  readonly hold: Pick<Hold, 'lift'>;
  readonly receipts: Pick<ReceiptLog, 'acknowledge'>;
  /** Keeps when a person looked last, for the sidecar that comes next. */
  readonly keepLooked: (looked: Looked) => void;
  readonly clock: Pick<Clock, 'now'>;
  readonly vanished: Pick<VanishedPositions, 'acknowledge'>;
  readonly log: EventLog;
}

/** What only a person can say: that trading goes on, and that the exchange was looked at. */
export function personCalls(options: PersonCallsOptions): {
  readonly lift: RequestHandler;
  readonly acknowledge: RequestHandler;
} {
  const { guard, drainer, hold, receipts, vanished, clock, log } = options;
  return {
    /** `DELETE /hold`: the bot may trade again; one that is halted is asked to restart. */
    lift(_request, response) {
      const stood = hold.lift();
      if (stood !== null) {
        log.warn({ event: 'hold.lifted', since: stood.since }, `The hold since ${stood.since} was lifted.`);
        guard.restartHalted();
      }
      response.json({ hold: false, lifted: stood !== null });
    },
    /** `POST /acknowledge`: ends what waits for a person to have looked at the exchange. */
    acknowledge(_request, response) {
      const running = drainer.current();
      // A drain that still runs may yet end badly, or be cut off: nobody has looked at the end of that one.
      const looked = running === null ? clock.now() : Date.parse(running.started_at) - 1;
      const at = new Date(looked).toISOString();
      options.keepLooked({ at });
      const ended = [
        ...(vanished.acknowledge() === null ? [] : ['vanished_positions']),
        ...(receipts.acknowledge(at) ? ['drain'] : []),
        ...(guard.acknowledge() ? ['restarts'] : []),
      ];
      log.warn(
        { event: 'acknowledged', ended },
        `A person has looked at the exchange; ended by it: ${ended.join(', ') || 'nothing was waiting'}.`,
      );
      response.json({ acknowledged: ended });
    },
  };
}
