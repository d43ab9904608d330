import { randomUUID } from 'node:crypto';
import { z } from 'zod';

/** What `POST /close-positions` asks for. */
export interface CloseBody {
  readonly key: string;
  /** When nobody waits any more, in milliseconds since 1970. */
  readonly deadline: number;
  readonly reason: string;
  readonly dryRun: boolean;
}

/** Without a deadline a close goes on for so many milliseconds. */
const WITHOUT_DEADLINE_MS = 60_000;
/** No deadline is further away, in milliseconds: a clock that is wrong must not close positions tomorrow. */
const FURTHEST_MS = 600_000;

const BODY = z.object({
  drain_id: z.string().min(1).max(200).nullish(),
  reason: z.string().nullish(),
  deadline: z.iso.datetime({ offset: true }).nullish(),
  dry_run: z.boolean().nullish(),
});

/** Reads the request; a text where it is none, saying what was expected. Pure but for a new key where none was given. */
export function readCloseRequest(
  body: unknown,
  idempotencyKey: string | undefined,
  now: number,
): CloseBody | string {
  const read = BODY.safeParse(body ?? {});
  if (!read.success) {
    const [issue] = read.error.issues;
    const where = issue?.path.join('.') || 'the body';
    return `${where}: expected drain_id and reason as texts, deadline as ISO 8601 with a time zone, dry_run as true or false`;
  }
  if (idempotencyKey !== undefined && idempotencyKey.length > 200) {
    return 'Idempotency-Key: expected at most 200 characters';
  }
  const { drain_id: drainId, reason, deadline, dry_run: dryRun } = read.data;
  const asked = deadline == null ? now + WITHOUT_DEADLINE_MS : Date.parse(deadline);
  return {
    key: idempotencyKey ?? drainId ?? randomUUID(),
    deadline: Math.min(asked, now + FURTHEST_MS),
    reason: (reason ?? '').slice(0, 200),
    dryRun: dryRun === true,
  };
}
