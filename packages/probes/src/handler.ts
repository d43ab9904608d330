import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnswerOptions, notFound } from './answer.ts';
import { ProbeOptionError } from './errors.ts';
import type { Monitor } from './monitor.ts';
import { preparedAnswers } from './prepared.ts';

/** Who may see more than the status. */
export type DetailPolicy = 'always' | 'never' | 'when-authorized';

/** Options of {@link healthHandler}. */
export interface HealthHandlerOptions {
  /**
   * Who is shown the checks, their values and why they fail. Default `never`: even without a credential in them they
   * tell what a service is made of. `when-authorized` needs `authorize`; others get the status alone.
   */
  details?: DetailPolicy;
  /** Whether a request may see details, see {@link bearerToken}. What it throws counts as no. */
  authorize?: (request: IncomingMessage) => boolean;
  /** Asked at each request: whether the process is on its way out, so that `/readyz` fails at once. Default false. */
  shuttingDown?: () => boolean;
  /** What `/healthz` tells of the service, beside its checks; shown only with details. Default nothing. */
  document?: AnswerOptions['document'];
}

/** A listener for `node:http`, and a middleware for whatever calls `next`. */
export type HealthHandler = (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;

/**
 * Answers `/livez`, `/readyz`, `/startupz` and `/healthz` from what `monitor` knows, see {@link answer}. Any other path
 * goes to `next`, or is answered with 404 where there is none.
 *
 * @throws {ProbeOptionError} when `details` is `when-authorized` and `authorize` is missing, or the policy is unknown.
 */
export function healthHandler(monitor: Monitor, options: HealthHandlerOptions = {}): HealthHandler {
  const { details = 'never', authorize, shuttingDown, document } = options;
  if (!['always', 'never', 'when-authorized'].includes(details)) {
    throw new ProbeOptionError('details', 'always, never or when-authorized', details);
  }
  if (details === 'when-authorized' && authorize === undefined) {
    throw new ProbeOptionError('authorize', 'a function, as details are shown when authorized', authorize);
  }
  const mayReadDetails = (request: IncomingMessage): boolean => {
    if (details !== 'when-authorized') return details === 'always';
    try {
      return authorize?.(request) === true;
    } catch {
      return false;
    }
  };
  const answers = preparedAnswers(monitor, document);
  return (request, response, next) => {
    const given = answers(request, {
      details: mayReadDetails(request),
      shuttingDown: shuttingDown?.() ?? false,
    });
    if (given !== undefined) {
      response.writeHead(given.status, given.headers).end(given.body);
    } else if (next !== undefined) next();
    else {
      const { status, headers, body } = notFound(request);
      response.writeHead(status, headers).end(body);
    }
  };
}

/**
 * For `authorize`: accepts requests with `Authorization: Bearer <token>`. The comparison takes the same time however
 * much of a guess is right.
 *
 * @throws {ProbeOptionError} when the token is empty.
 */
export function bearerToken(token: string): (request: IncomingMessage) => boolean {
  if (typeof token !== 'string' || token === '') throw new ProbeOptionError('token', 'a text', typeof token);
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return ({ headers }) => {
    const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), expected);
  };
}
