import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ProbeError } from './errors.ts';
import type { Lookup } from './lookup.ts';

/** One HTTP question. */
export interface ExchangeRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest answer that is read, in bytes. */
  readonly maxBodyBytes: number;
  /** How many redirects are followed; 0 none. */
  readonly maxRedirects: number;
  /** Certificates to trust in place of the system's, as PEM. */
  readonly ca?: string;
  /** Finds the address of the host; without one, Node does. */
  readonly lookup?: Lookup;
  readonly signal: AbortSignal;
}

/** The whole answer. */
export interface ExchangeResponse {
  readonly status: number;
  readonly body: string;
}

/**
 * Asks over a connection of its own, which is closed with the answer: a kept one would prove that an old socket works,
 * not that a new caller is let in. The signal destroys the socket whatever it is doing, connecting included.
 *
 * @throws {ProbeError} `HTTP_UNREACHABLE`, `HTTP_REDIRECT`, `HTTP_BODY_TOO_LARGE`, or the reason of the signal.
 */
export async function exchange(request: ExchangeRequest): Promise<ExchangeResponse> {
  let asked = request;
  for (let left = request.maxRedirects; ; left -= 1) {
    const message = await send(asked);
    const status = message.statusCode ?? 0;
    const location = REDIRECTS.has(status) ? message.headers.location : undefined;
    if (location === undefined || left === 0) return { status, body: await readBody(message, asked) };
    message.destroy();
    asked = redirected(asked, status, location);
  }
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The URL without credentials and query, for messages. */
export function labelOf(url: URL): string {
  return url.origin + url.pathname;
}

async function send(asked: ExchangeRequest): Promise<IncomingMessage> {
  const { url, method, headers, body, ca, lookup, signal } = asked;
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)({
    // Named one by one: Node would put the credentials of a URL object into messages and options.
    protocol: url.protocol,
    // An IPv6 address stands in brackets in a URL and without them in a connection.
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    path: url.pathname + url.search,
    method,
    headers: { ...authorization(url), ...headers },
    agent: false,
    signal,
    ...(ca === undefined ? {} : { ca }),
    ...(lookup === undefined ? {} : { lookup: lookup(signal) }),
  });
  request.on('response', resolve);
  // Stays after the answer has begun: an error of the socket without a listener would end this whole process.
  request.on('error', reject);
  request.end(body);
  try {
    return await promise;
  } catch (error) {
    throw failure(asked, error);
  }
}

async function readBody(message: IncomingMessage, asked: ExchangeRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message) {
      size += (chunk as Buffer).length;
      // Leaving the loop destroys the message and its socket: the rest is never read.
      if (size > asked.maxBodyBytes) break;
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw failure(asked, error);
  }
  if (size > asked.maxBodyBytes) {
    throw new ProbeError(
      'HTTP_BODY_TOO_LARGE',
      `expected a body of at most ${asked.maxBodyBytes} bytes from ${labelOf(asked.url)}, got more`,
    );
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The next question, as RFC 9110, 15.4 has it; credentials stay with the origin they were meant for. */
function redirected(asked: ExchangeRequest, status: number, location: string): ExchangeRequest {
  const { url, method, headers, body, ...rest } = asked;
  const next = URL.parse(location, url.href);
  if (next === null || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
    throw new ProbeError(
      'HTTP_REDIRECT',
      `${labelOf(url)} answered ${status}, a redirect to no http: or https: URL`,
    );
  }
  const kept = Object.entries(headers).filter(
    ([name]) => next.origin === url.origin || !/^(?:authorization|cookie|proxy-authorization)$/i.test(name),
  );
  const becomesGet = method !== 'HEAD' && (status === 303 || (method === 'POST' && status < 303));
  return {
    ...rest,
    url: next,
    method: becomesGet ? 'GET' : method,
    headers: Object.fromEntries(kept),
    ...(body === undefined || becomesGet ? {} : { body }),
  };
}

/** Credentials in the URL go as a header, and so appear in no message that quotes the request. */
function authorization(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function failure({ url, signal }: ExchangeRequest, cause: unknown): unknown {
  if (signal.aborted) return signal.reason;
  return new ProbeError('HTTP_UNREACHABLE', `no answer from ${labelOf(url)}`, { cause });
}
