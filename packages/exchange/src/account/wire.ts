import { AsyncLocalStorage } from 'node:async_hooks';
import type { LastAnswer } from './classify.ts';
import { ExchangeError } from './errors.ts';

/** What ccxt needs of an answer. */
interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly text: () => Promise<string>;
}

/** The connection to the exchange, given to ccxt in place of its own. */
export interface Wire {
  /** What ccxt calls to send a request. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Answer>;
  /**
   * Runs one call of ccxt. What it has not sent when `signal` aborts is never sent, however long ccxt keeps it in its
   * queue. `last` gives the last answer that came for it.
   */
  readonly run: <T>(signal: AbortSignal, call: (last: () => LastAnswer | null) => Promise<T>) => Promise<T>;
}

/** Options of {@link createWire}. */
export interface WireOptions {
  /** Sends every request there in place of the exchange's own address, with its path. */
  readonly url?: string | undefined;
  /** How long one answer may take, body included, in milliseconds. */
  readonly timeoutMs: number;
  /** Default `Date.now`. */
  readonly now?: () => number;
}

interface Call {
  readonly signal: AbortSignal;
  last: LastAnswer | null;
}

/** The list of all markets of a large exchange is a few megabytes. */
const BODY_LIMIT = 64 * 1024 * 1024;
/** How long an exchange that asks for fewer calls is left alone where it does not say, in milliseconds. */
const LEFT_ALONE_MS = 1_000;

/** Makes the connection. */
export function createWire({ url, timeoutMs, now = Date.now }: WireOptions): Wire {
  const calls = new AsyncLocalStorage<Call>();
  const base = url === undefined ? undefined : new URL(url);
  /** Until when the exchange wants no calls. Whoever goes on meanwhile is locked out. */
  let quietUntil = 0;

  return {
    async fetch(address, init) {
      const call = calls.getStore();
      call?.signal.throwIfAborted();
      const wait = quietUntil - now();
      if (wait > 0) {
        throw new ExchangeError(
          'EXCHANGE_RATE_LIMITED',
          `not sent: the exchange asks for no calls for another ${Math.ceil(wait / 1_000)}s`,
          wait,
        );
      }
      const signals = [AbortSignal.timeout(timeoutMs), ...(call === undefined ? [] : [call.signal])];
      const response = await fetch(base === undefined ? address : moved(address, base), {
        method: init.method ?? 'GET',
        ...(init.headers === undefined ? {} : { headers: init.headers }),
        ...(init.body === undefined ? {} : { body: init.body }),
        redirect: 'error',
        signal: AbortSignal.any(signals),
      });
      const text = await bodyOf(response);
      const { status, statusText, headers } = response;
      const retryAfterMs = retryAfter(headers.get('retry-after'), now());
      if (status === 429 || status === 418) quietUntil = now() + (retryAfterMs ?? LEFT_ALONE_MS);
      if (call !== undefined) call.last = { status, text, retryAfterMs };
      return { status, statusText, headers, text: async () => text };
    },
    run(signal, act) {
      const call: Call = { signal, last: null };
      return calls.run(call, () => act(() => call.last));
    },
  };
}

/** The same path and query at another address. */
function moved(address: string, base: URL): string {
  const { pathname, search } = new URL(address);
  return `${base.origin}${base.pathname.replace(/\/$/, '')}${pathname}${search}`;
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > BODY_LIMIT) {
      throw new ExchangeError('EXCHANGE_UNREADABLE', `an answer larger than ${BODY_LIMIT} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `Retry-After` as milliseconds from now: seconds or a date; null where it is neither. */
function retryAfter(value: string | null, now: number): number | null {
  if (value === null) return null;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1_000;
  const at = /^[A-Za-z]{3}/.test(value.trim()) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}
