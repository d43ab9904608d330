import { Agent, type Dispatcher, interceptors } from 'undici';
import { ProbeError } from './errors.ts';

/** One HTTP question. */
export interface ExchangeRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body?: string;
  /** Longest answer that is read, in bytes. */
  maxBodyBytes: number;
  signal: AbortSignal;
}

/** The whole answer. */
export interface ExchangeResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** One target's own connections: a target that hangs cannot starve another. */
export interface Exchange {
  /** @throws {ProbeError} `HTTP_UNREACHABLE`, `HTTP_BODY_TOO_LARGE`, or the reason of the signal. */
  request(request: ExchangeRequest): Promise<ExchangeResponse>;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

/** Options of {@link createExchange}. */
export interface ExchangeOptions {
  /** How many redirects are followed; 0 none. */
  maxRedirects: number;
}

/**
 * Opens connections to one target. Each request has a connection of its own (`Connection: close`): a kept one would
 * prove that an old socket works, not that a new caller is let in, and fails when the server closes it first.
 */
export function createExchange({ maxRedirects }: ExchangeOptions): Exchange {
  const agent = new Agent({
    pipelining: 0,
    // The signal is the only clock; a second one would cut off at another moment, with another message.
    connect: { timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const dispatcher: Dispatcher =
    maxRedirects > 0 ? agent.compose(interceptors.redirect({ maxRedirections: maxRedirects })) : agent;
  return {
    async request({ url, method, headers, body, maxBodyBytes, signal }) {
      try {
        const response = await dispatcher.request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: method as Dispatcher.HttpMethod,
          headers: { ...authorization(url), ...headers },
          body: body ?? null,
          signal,
        });
        return {
          status: response.statusCode,
          headers: response.headers,
          body: await readBody(response.body, maxBodyBytes),
        };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (error instanceof ProbeError) throw error;
        throw new ProbeError('HTTP_UNREACHABLE', `no answer from ${url.origin}${url.pathname}`, {
          cause: error,
        });
      }
    },
    async close() {
      await agent.destroy();
    },
  };
}

/** Credentials in the URL go as a header, and so appear in no message that quotes the request. */
function authorization(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) {
      // Leaving the loop destroys the stream and with it the socket: the rest is never read.
      throw new ProbeError('HTTP_BODY_TOO_LARGE', `expected a body of at most ${maxBytes} bytes, got more`);
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
