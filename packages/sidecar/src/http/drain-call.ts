import { setTimeout as sleep } from 'node:timers/promises';
import { refuse } from '@botwarden/service/http';
import type { RequestHandler } from 'express';
import { z } from 'zod';
import type { Drainer } from '../drain/drain.ts';
import type { Hold } from '../drain/hold.ts';
import type { EventLog } from '../event-log.ts';
import type { Leases } from '../lease/leases.ts';

/** What the call works with. */
export interface DrainCallOptions {
  readonly drainer: Drainer;
  readonly leases: Leases;
  readonly hold: Pick<Hold, 'set'>;
  readonly log: EventLog;
}

const name = (what: string) =>
  z.string().regex(/^[\w.:-]{1,100}$/, { error: `${what}: 1 to 100 letters, digits, or any of _ . : -` });

/** The body of `POST /drain`, as text. Everything in it may be left out. */
export const drainBody = z.object({
  boot: name('boot').nullish(),
  drain_id: name('drain_id').nullish(),
  reason: z.string().max(500, { error: 'reason: at most 500 characters' }).nullish(),
});

/** After a request was read, the end of its connection, if that has come too, is read within so many milliseconds. */
const CALLER_GONE_MS = 25;

/**
 * `POST /drain`. A caller that names a boot is its gate: that boot is drained and no other. One that names none is a
 * person: the bot is on hold from then on.
 */
export function drainCall({ drainer, leases, hold, log }: DrainCallOptions): RequestHandler {
  return async (request, response) => {
    const body = parse(request.body);
    if (typeof body === 'string') {
      refuse(response, 400, 'BAD_REQUEST', body);
      return;
    }
    // A sidecar that was frozen for a while finds what was asked for meanwhile, by callers who have long given up. The
    // bot that such a call meant may be gone: its successor must not be drained, and left halted, in its place.
    await sleep(CALLER_GONE_MS);
    const { socket } = request;
    if (socket.readableEnded || socket.destroyed) {
      log.warn(
        { event: 'drain.caller_gone' },
        'POST /drain came from a caller that had already given up; nothing was done.',
      );
      return;
    }
    const boot = body.boot ?? undefined;
    const current = leases.holder();
    if (boot !== undefined && current !== null && current !== boot) {
      log.warn(
        { event: 'drain.wrong_boot', boot, current },
        'POST /drain named a boot of the bot that is not the current one; nothing was done.',
      );
      const message = `expected the current boot ${current}, got ${boot}: nothing was done`;
      refuse(response, 409, 'WRONG_BOOT', message);
      return;
    }
    const reason = body.reason ?? (boot === undefined ? 'POST /drain' : `stop of boot ${boot}`);
    if (boot === undefined) hold.set(reason);
    const receipt = drainer.drain('http', { reason, boot, drainId: body.drain_id ?? undefined });
    if (request.query.wait === 'false') {
      response.status(202).json(drainer.current() ?? drainer.last());
      return;
    }
    const ended = await receipt;
    if (!response.destroyed) {
      response.status(ended.state === 'flat' || ended.state === 'nothing_to_do' ? 200 : 503).json(ended);
    }
  };
}

function parse(text: unknown): z.output<typeof drainBody> | string {
  if (typeof text !== 'string' || text.trim() === '') return {};
  try {
    const result = drainBody.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    return result.error.issues.map(({ message }) => message).join('; ');
  } catch {
    return 'the body is not JSON: expected {"boot":"…","drain_id":"…","reason":"…"}, all optional, or no body';
  }
}
