import { type AnswerOptions, answer, HEALTH_PATHS, type HealthRequest } from './answer.ts';
import type { Monitor, Snapshot } from './monitor.ts';

/** An answer as `node:http` sends it with the least work: the headers in a flat list, and the body as text. */
export interface PreparedAnswer {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

/**
 * {@link answer} of a monitor, made when what is known has changed and not when it is asked: a later request gets the
 * same object for as long as the monitor says that it still holds, see {@link Monitor.isCurrent}.
 */
export function preparedAnswers(
  monitor: Monitor,
  document: AnswerOptions['document'],
): (
  request: HealthRequest,
  options: { details: boolean; shuttingDown: boolean },
) => PreparedAnswer | undefined {
  const kept = new Map<string, Array<{ snapshot: Snapshot; answer: PreparedAnswer } | undefined>>(
    Object.keys(HEALTH_PATHS).map((path) => [path, []]),
  );
  return (request, { details, shuttingDown }) => {
    // A query string, a slash at the end or HEAD is rare, and not worth a place.
    const places = request.method === 'GET' ? kept.get(request.url ?? '') : undefined;
    const place = (details ? 2 : 0) + (shuttingDown ? 1 : 0);
    const found = places?.[place];
    if (found !== undefined && monitor.isCurrent(found.snapshot)) return found.answer;
    const snapshot = monitor.snapshot();
    const options = { details, shuttingDown, ...(document === undefined ? {} : { document }) };
    const made = answer(request, snapshot, options);
    if (made === undefined) return undefined;
    const { status, headers, body } = made;
    const prepared = { status, headers: Object.entries(headers).flat(), body };
    if (places !== undefined) places[place] = { snapshot, answer: prepared };
    return prepared;
  };
}
