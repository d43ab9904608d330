import {
  HEALTH_JSON_TYPE,
  type HealthJson,
  type HealthJsonOptions,
  type HealthJsonStatus,
  healthJson,
} from './health-json.ts';
import type { Snapshot } from './monitor.ts';
import { isHealthy, type Status } from './status.ts';

/** A request, as far as an answer depends on it. */
export interface HealthRequest {
  /** Default `GET`. */
  method?: string | undefined;
  /** The path; a query string and a trailing slash change nothing. */
  url?: string | undefined;
}

/** An HTTP answer, to be sent as it is. */
export interface HealthAnswer {
  /** 200, 503, 405 or 404. */
  readonly status: number;
  /** Names in lower case. `content-length` is that of the whole body, for HEAD as well. */
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for HEAD. */
  readonly body: string;
}

/** The question that each path asks: a group of the monitor, or `all` of it. */
export const HEALTH_PATHS = {
  '/livez': 'liveness',
  '/readyz': 'readiness',
  '/startupz': 'startup',
  '/healthz': 'all',
} as const;

/** Options of {@link answer}. */
export interface AnswerOptions {
  /** Whether the reader may see more than the status: the checks, their values and why they fail. Default false. */
  details?: boolean;
  /** True while the process is on its way out: `/readyz` and `/healthz` fail, `/livez` does not. Default false. */
  shuttingDown?: boolean;
  /** What `/healthz` tells of the service, beside its checks; shown only with `details`. Default nothing. */
  document?: Omit<HealthJsonOptions, 'status'>;
}

/**
 * The answer to a request for health, from memory alone: `/livez`, `/readyz`, `/startupz` and `/healthz` with GET or
 * HEAD, each 200 or 503 as `application/health+json`; 405 for other methods. Undefined for any other path.
 */
export function answer(
  request: HealthRequest,
  snapshot: Snapshot,
  options: AnswerOptions = {},
): HealthAnswer | undefined {
  const path = pathOf(request.url ?? '/');
  const question = Object.hasOwn(HEALTH_PATHS, path)
    ? HEALTH_PATHS[path as keyof typeof HEALTH_PATHS]
    : undefined;
  if (question === undefined) return undefined;
  const method = request.method ?? 'GET';
  if (method !== 'GET' && method !== 'HEAD') {
    const error = { code: 'METHOD_NOT_ALLOWED', message: `expected GET or HEAD of ${path}` };
    return respond(method, 405, 'application/json', { error }, { allow: 'GET, HEAD' });
  }
  const document = question === 'all' ? whole(snapshot, options) : one(question, snapshot, options);
  return respond(method, document.status === 'fail' ? 503 : 200, HEALTH_JSON_TYPE, document);
}

/** The answer for a path that is none: 404 as JSON. */
export function notFound(request: HealthRequest): HealthAnswer {
  const message = `expected one of ${Object.keys(HEALTH_PATHS).join(', ')}`;
  return respond(request.method ?? 'GET', 404, 'application/json', { error: { code: 'NOT_FOUND', message } });
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  const path = end === -1 ? url : url.slice(0, end);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function whole(snapshot: Snapshot, { details, shuttingDown, document }: AnswerOptions): HealthJson {
  const status = shuttingDown ? 'fail' : verdict(snapshot.status, isHealthy(snapshot.status));
  if (!details) return { status };
  return healthJson(snapshot, { ...document, status, ...(shuttingDown ? { output: SHUTTING_DOWN } : {}) });
}

function one(group: string, snapshot: Snapshot, { details, shuttingDown }: AnswerOptions): HealthJson {
  const view = snapshot.groups[group];
  if (view === undefined) return { status: 'fail' };
  const leaving = shuttingDown === true && group === 'readiness';
  const status = leaving ? 'fail' : verdict(view.status, view.healthy);
  if (!details) return { status };
  const output = leaving ? SHUTTING_DOWN : view.output;
  const probes = snapshot.probes.filter(({ name }) => view.probes.includes(name));
  return healthJson({ ...snapshot, probes }, { status, ...(output === undefined ? {} : { output }) });
}

const SHUTTING_DOWN = 'shutting down';

/** The draft wants a status that agrees with the HTTP status; where the group is healthy all the same, a person should look. */
function verdict(status: Status, healthy: boolean): HealthJsonStatus {
  if (!healthy) return 'fail';
  return status === 'pass' ? 'pass' : 'warn';
}

function respond(
  method: string,
  status: number,
  type: string,
  document: object,
  headers: Record<string, string> = {},
): HealthAnswer {
  const body = JSON.stringify(document);
  return {
    status,
    headers: {
      'content-type': type,
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      ...headers,
    },
    body: method === 'HEAD' ? '' : body,
  };
}
