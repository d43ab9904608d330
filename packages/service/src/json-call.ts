import { isIP, type Socket } from 'node:net';
import type { Lookup } from '@botwarden/probes';
import { buildConnector, Client, type Dispatcher } from 'undici';
import { lookup as ownLookup } from './lookup.ts';

/** Largest answer that is read, in bytes; what is longer is cut off and is an error. */
export const BODY_LIMIT = 1024 * 1024;

/** Longest wait for a connection, in milliseconds; the signal of a call may end it earlier. */
const CONNECT_TIMEOUT = 5_000;

export type CallErrorCode =
  | 'REFUSED'
  | 'NOT_FOUND'
  | 'UNREACHABLE'
  | 'RESET'
  | 'TLS'
  | 'TIMEOUT'
  | 'CANCELLED'
  | 'UNAUTHORISED'
  | 'STATUS'
  | 'REDIRECT'
  | 'TOO_LARGE'
  | 'MALFORMED'
  | 'FAILED';

/** How far a call had come when its time was up. */
export type WaitedFor = 'name' | 'connection' | 'answer';

/** A call that did not succeed. The message holds no credential, no query string and no URL user. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: CallErrorCode;
  /** HTTP status, where one came. */
  readonly status: number | null;
  /** From `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** What was waited for when time was up; null where it was not a matter of time. */
  readonly waitedFor: WaitedFor | null;

  constructor(
    code: CallErrorCode,
    message: string,
    {
      status = null,
      retryAfterMs = null,
      waitedFor = null,
    }: { status?: number | null; retryAfterMs?: number | null; waitedFor?: WaitedFor | null } = {},
  ) {
    // No cause on purpose: what undici, TLS or DNS throw may hold host, address and headers of the request.
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.waitedFor = waitedFor;
  }
}

/** Where calls go, and as whom. */
export interface JsonCallerOptions {
  /** Base URL; its path is put before that of each call. A user and password in it are sent as Basic credentials. */
  readonly url: string | URL;
  /** Value of the `Authorization` header; goes before a user in the URL. */
  readonly authorization?: string | undefined;
  /** More texts that must never appear in an error, next to those of `authorization` and `url`. */
  readonly secrets?: readonly string[];
  /** Wall clock in milliseconds, for a `Retry-After` that is a date. Default `Date.now`. */
  readonly now?: () => number;
  /** Finds the address of the host. Default: that of the whole process, which remembers the last one. */
  readonly lookup?: Lookup;
}

/** One call. */
export interface JsonCall {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'OPTIONS';
  /** Absolute path, with a query if need be; empty for the base URL itself. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Replaces the `Authorization` header of the caller for this call. */
  readonly authorization?: string | undefined;
  /** The statuses that are an answer; any other is an error. */
  readonly accept: (status: number) => boolean;
  /** False where the body of the answer does not matter: it is dumped unread and `body` is undefined. Default true. */
  readonly json?: boolean;
}

export interface JsonAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Makes single JSON calls to one target, each over a connection of its own. */
export interface JsonCaller {
  /**
   * One attempt: never follows a redirect, reads at most {@link BODY_LIMIT}, leaves no body unread, and ends with its
   * signal, the socket destroyed. Rejects with a {@link CallError} and nothing else.
   */
  readonly call: (call: JsonCall, signal: AbortSignal) => Promise<JsonAnswer>;
  /** Destroys every socket. */
  readonly dispose: () => Promise<void>;
}

/** Throws a TypeError when `url` is not an absolute http or https URL. */
export function createJsonCaller(options: JsonCallerOptions): JsonCaller {
  const base = parseBase(options.url);
  const now = options.now ?? Date.now;
  /** An address needs no name server. */
  const named = isIP(base.hostname.replace(/^\[(.*)\]$/, '$1')) === 0;
  const user = base.username === '' && base.password === '' ? undefined : basic(base);
  const authorization = options.authorization ?? user;
  const redact = redactor([...(options.secrets ?? []), authorization, base.password]);
  const lookup = options.lookup ?? ownLookup;
  const clients = new Set<Client>();

  /**
   * A connection for one call: each also proves that new ones are accepted, and none breaks for having been kept idle.
   * It ends with the signal also while it is being made, where undici itself would wait for the connection first.
   */
  function connectionFor(signal: AbortSignal, came: (to: WaitedFor) => void): Client {
    const connect = buildConnector({ timeout: CONNECT_TIMEOUT, allowH2: false, lookup: lookup(signal) });
    const client = new Client(base.origin, {
      pipelining: 0,
      allowH2: false,
      maxResponseSize: BODY_LIMIT,
      // The signal of the call is the only clock: undici's own are coarse above a second.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect(options, callback) {
        // The connector gives its socket, which its type does not say.
        const socket = connect(options, callback) as unknown as Socket;
        const giveUp = () => socket.destroy(new Error('given up while connecting'));
        signal.addEventListener('abort', giveUp, { once: true });
        socket.once('lookup', () => came('connection'));
        socket.once('connect', () => came('answer'));
        socket.once('close', () => signal.removeEventListener('abort', giveUp));
      },
    });
    clients.add(client);
    return client;
  }

  async function call(request: JsonCall, signal: AbortSignal): Promise<JsonAnswer> {
    const path = `${base.pathname.replace(/\/+$/, '')}${request.path}${request.path === '' ? base.search : ''}`;
    const name = `${request.method} ${(path === '' ? '/' : path).replace(/[?#].*$/s, '')}`;
    const auth = request.authorization ?? authorization;
    let waitedFor: WaitedFor = named ? 'name' : 'connection';
    const client = connectionFor(signal, (to) => {
      waitedFor = to;
    });
    try {
      signal.throwIfAborted();
      const response = await client.request({
        path: path.startsWith('/') ? path : `/${path}`,
        method: request.method,
        headers: {
          accept: 'application/json',
          'user-agent': 'botwarden',
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(auth === undefined ? {} : { authorization: auth }),
          ...request.headers,
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal,
      });
      return await read(response, request, name);
    } catch (error) {
      throw error instanceof CallError ? error : translate(error, name, signal, waitedFor);
    } finally {
      clients.delete(client);
      // Nothing of it is needed any more, so nobody waits for its end.
      client.destroy().catch(() => undefined);
    }
  }

  async function read(
    response: Dispatcher.ResponseData,
    request: JsonCall,
    name: string,
  ): Promise<JsonAnswer> {
    const { statusCode: status, headers, body } = response;
    // Whoever reads the body gets its error; without this, a body that nobody reads would end the process with it.
    body.on('error', () => undefined);
    if (status >= 300 && status < 400) {
      body.destroy();
      throw new CallError('REDIRECT', `${name}: answered ${status}, a redirect, which is never followed`, {
        status,
      });
    }
    if (!request.accept(status)) {
      const said = await complaint(body);
      const code = status === 401 || status === 403 ? 'UNAUTHORISED' : 'STATUS';
      const retryAfterMs = retryAfter(headers['retry-after'], now());
      throw new CallError(code, `${name}: answered ${status}${said === '' ? '' : ` (${redact(said)})`}`, {
        status,
        retryAfterMs,
      });
    }
    if (request.json === false) {
      await body.dump();
      return { status, body: undefined };
    }
    const text = await body.text();
    try {
      return { status, body: JSON.parse(text) };
    } catch {
      const what = text.trim() === '' ? 'an empty body' : 'a body that is not JSON';
      throw new CallError('MALFORMED', `${name}: answered ${status} with ${what}`, { status });
    }
  }

  return {
    call,
    dispose: async () => {
      await Promise.all([...clients].map((client) => client.destroy()));
    },
  };
}

function parseBase(url: string | URL): URL {
  const base = URL.canParse(String(url)) ? new URL(url) : undefined;
  if (base === undefined || (base.protocol !== 'http:' && base.protocol !== 'https:')) {
    throw new TypeError('expected an absolute http or https URL, like http://bot:8000');
  }
  return base;
}

function basic(url: URL): string {
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** What the other side says went wrong, as one short line; empty where it says nothing readable. */
async function complaint(body: Dispatcher.ResponseData['body']): Promise<string> {
  const text = await body.text().catch(() => '');
  try {
    return oneLine(said(JSON.parse(text)));
  } catch {
    // Not JSON: a proxy's page, of no use in a log line.
    return '';
  }
}

/** The message in `{"error": "…"}`, `{"detail": "…"}`, `{"error": {"message": "…"}}` and their like. */
function said(body: unknown): string {
  if (typeof body !== 'object' || body === null) return '';
  for (const key of ['error', 'detail', 'message', 'reason'] as const) {
    const value = (body as Record<string, unknown>)[key];
    const text = typeof value === 'string' ? value : said(value);
    if (text !== '') return text;
  }
  return '';
}

const oneLine = (text: string): string =>
  text
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, 200);

function redactor(secrets: readonly (string | undefined)[]): (text: string) => string {
  const words = secrets
    .filter((secret): secret is string => secret !== undefined && secret !== '')
    // A header holds "Bearer x": x alone gives it away as well.
    .flatMap((secret) => [secret, ...secret.split(' ').slice(1)])
    .filter((word) => word.length >= 3)
    .sort((a, b) => b.length - a.length);
  return (text) => words.reduce((rest, word) => rest.replaceAll(word, '***'), text);
}

/** `Retry-After` (RFC 9110, 10.2.3) as milliseconds from now: seconds or an HTTP date; null when absent or neither. */
export function retryAfter(value: string | string[] | undefined, now: number): number | null {
  const text = (Array.isArray(value) ? value[0] : value)?.trim();
  if (text === undefined || text === '') return null;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Za-z]{3}/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

const CODES: Readonly<Record<string, CallErrorCode>> = {
  ECONNREFUSED: 'REFUSED',
  ENOTFOUND: 'NOT_FOUND',
  EAI_AGAIN: 'NOT_FOUND',
  EHOSTUNREACH: 'UNREACHABLE',
  ENETUNREACH: 'UNREACHABLE',
  EHOSTDOWN: 'UNREACHABLE',
  ETIMEDOUT: 'UNREACHABLE',
  UND_ERR_CONNECT_TIMEOUT: 'UNREACHABLE',
  ECONNRESET: 'RESET',
  ECONNABORTED: 'RESET',
  EPIPE: 'RESET',
  UND_ERR_SOCKET: 'RESET',
  UND_ERR_HEADERS_TIMEOUT: 'TIMEOUT',
  UND_ERR_BODY_TIMEOUT: 'TIMEOUT',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'TOO_LARGE',
  UND_ERR_HEADERS_OVERFLOW: 'MALFORMED',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'RESET',
};

const SENTENCES: Readonly<Record<CallErrorCode, string>> = {
  REFUSED: 'connection refused: nothing listens there',
  NOT_FOUND: 'the host name does not resolve',
  UNREACHABLE: 'the host cannot be reached',
  RESET: 'the connection broke before the answer was whole',
  TLS: 'the TLS certificate or handshake was not accepted',
  TIMEOUT: 'no whole answer in time',
  CANCELLED: 'given up by the caller',
  UNAUTHORISED: 'not authorised',
  STATUS: 'an unexpected status',
  REDIRECT: 'a redirect',
  TOO_LARGE: `the answer is larger than ${BODY_LIMIT} bytes`,
  MALFORMED: 'the answer is not HTTP',
  FAILED: 'failed unexpectedly',
};

function translate(error: unknown, name: string, signal: AbortSignal, waitedFor: WaitedFor): CallError {
  const code = signal.aborted ? cancelled(signal.reason) : classify(error);
  if (code === 'TIMEOUT') return new CallError(code, `${name}: ${LATE[waitedFor]}`, { waitedFor });
  const detail = code === 'FAILED' || code === 'TLS' ? codeOf(error) : undefined;
  return new CallError(code, `${name}: ${SENTENCES[code]}${detail === undefined ? '' : ` (${detail})`}`);
}

const LATE: Readonly<Record<WaitedFor, string>> = {
  name: 'the host name was not resolved in time',
  connection: 'no connection in time',
  answer: 'no whole answer in time',
};

const cancelled = (reason: unknown): CallErrorCode =>
  reason instanceof Error && reason.name === 'TimeoutError' ? 'TIMEOUT' : 'CANCELLED';

function classify(error: unknown): CallErrorCode {
  // The parser's errors have a code for some kinds only.
  if (error instanceof Error && error.name === 'HTTPParserError') return 'MALFORMED';
  const code = codeOf(error);
  if (code === undefined) return 'FAILED';
  const known = CODES[code];
  if (known !== undefined) return known;
  if (
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    /CERT|SELF_SIGNED|SIGNATURE|ISSUER/.test(code)
  )
    return 'TLS';
  return 'FAILED';
}

/** The code of an error, of its cause, or of the first error of an aggregate (both address families refused). */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return codeOf(error.cause);
}
