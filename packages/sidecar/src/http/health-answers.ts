import type { IncomingMessage, ServerResponse } from 'node:http';
import { HEALTH_JSON_TYPE } from '@botwarden/probes';
import type { Guard } from '../guard.ts';
import { VERSION } from '../version.ts';

/** An answer as `node:http` sends it with the least work: the headers in a flat list, and the body as text. */
interface Prepared {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

/** The paths that are answered here. */
export const HEALTH_PATHS: readonly string[] = ['/livez', '/readyz', '/startupz', '/healthz', '/ping'];

const JSON_TYPE = 'application/json; charset=utf-8';

/** Answers a request for health, and tells whether it did. `path`: where that is known; default: that of the request. */
export type HealthAnswers = (request: IncomingMessage, response: ServerResponse, path?: string) => boolean;

/**
 * Answers `/livez`, `/readyz`, `/startupz`, `/healthz` and `/ping`, for GET and HEAD, with bytes that were made when the
 * guard last said something else. It leaves alone other paths and methods, and the `/livez` of a gate.
 */
export function healthAnswers(guard: Guard): HealthAnswers {
  const live = written(guard.live, ({ live, boot, because }) =>
    json(live ? 200 : 503, { live, boot, ...(because === null ? {} : { because }) }),
  );
  const ready = written(guard.ready, ({ ready, because }) =>
    json(ready ? 200 : 503, { ready, ...(because === null ? {} : { because }) }),
  );
  const health = written(guard.health, (document) =>
    json(document.status === 'fail' ? 503 : 200, document, `${HEALTH_JSON_TYPE}; charset=utf-8`),
  );
  const [started, notStarted] = [json(200, { started: true }), json(503, { started: false })];
  const pong = json(200, { ping: 'pong', version: VERSION });

  const answers = new Map<string, (request: IncomingMessage) => Prepared | undefined>([
    [
      '/livez',
      ({ headers }) => {
        if (headers['botwarden-boot'] !== undefined) return undefined;
        guard.polled();
        return live();
      },
    ],
    ['/readyz', ready],
    ['/startupz', () => (guard.started() ? started : notStarted)],
    ['/healthz', health],
    ['/ping', () => pong],
  ]);

  return (request, response, path) => {
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const answer = (answers.get(path ?? url) ?? answers.get(pathOf(url)))?.(request);
    if (answer === undefined) return false;
    response.writeHead(answer.status, answer.headers).end(answer.body);
    return true;
  };
}

/** A query string and a slash at the end change nothing. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  const path = query === -1 ? url : url.slice(0, query);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Writes out what `read` gives, and again only when that is another object. */
function written<T extends object>(read: () => T, write: (said: T) => Prepared): () => Prepared {
  let said: T | undefined;
  let prepared: Prepared | undefined;
  return () => {
    const now = read();
    if (prepared === undefined || now !== said) {
      prepared = write(now);
      said = now;
    }
    return prepared;
  };
}

function json(status: number, document: object, type = JSON_TYPE): Prepared {
  const body = JSON.stringify(document);
  const headers = ['Cache-Control', 'no-store', 'Content-Type', type];
  return { status, headers: [...headers, 'Content-Length', String(Buffer.byteLength(body))], body };
}
