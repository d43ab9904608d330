import { ProbeError, ProbeOptionError } from '../errors.ts';
import { createExchange, type ExchangeResponse } from '../exchange.ts';
import { assertProbeName, type Observation, type Probe } from '../probe.ts';

/** Options that every probe over HTTP has. */
export interface HttpTargetOptions {
  /** Unique within a monitor. */
  name: string;
  /** `http:` or `https:`. Credentials in it are sent as basic authorization and never shown. */
  url: string | URL;
  /** Sent with each request. Default: `accept: application/json`. */
  headers?: Readonly<Record<string, string>>;
  /** Longest answer that is read, in bytes; a longer one fails. Default 1 MiB. */
  maxBodyBytes?: number;
}

/** Options of {@link httpProbe}. */
export interface HttpProbeOptions extends HttpTargetOptions {
  /** Default `GET`. */
  method?: string;
  /** Sent as it is. Default none. */
  body?: string;
  /** Which status codes pass: a list, or a function. Default 200 to 299. */
  status?: readonly number[] | ((status: number) => boolean);
  /**
   * Judges the parsed JSON body: returns false or throws to fail, true or an observation to pass. An answer that is
   * not JSON fails. Default: the body is not looked at.
   */
  json?: (body: unknown) => boolean | Observation | Promise<boolean | Observation>;
  /** How many redirects are followed. Default 0: a redirect fails, as it hides what answers. */
  maxRedirects?: number;
}

/**
 * Asks a URL. Passes on a status from 200 to 299 (or as `status` says) and a body that `json` accepts.
 *
 * @throws {ProbeOptionError} when an option cannot work.
 */
export function httpProbe(options: HttpProbeOptions): Probe {
  const target = httpTarget(options, options.maxRedirects);
  const { status = (code: number) => code >= 200 && code < 300, json, method, body } = options;
  const accepts = typeof status === 'function' ? status : (code: number) => status.includes(code);
  return {
    name: options.name,
    async run(signal) {
      const response = await target.ask(signal, method, body);
      if (!accepts(response.status)) throw unexpectedStatus(response, target.label);
      if (json === undefined) return { details: { status: response.status } };
      const verdict = await json(parseJson(response.body, target.label));
      if (verdict === false) {
        throw new ProbeError(
          'HTTP_UNEXPECTED_BODY',
          `${target.label} answered ${response.status} with a body that was not accepted`,
        );
      }
      return verdict === true ? { details: { status: response.status } } : verdict;
    },
    close: target.close,
  };
}

/** A URL that can be asked again and again. */
export interface HttpTarget {
  /** The URL without credentials and query, for messages. */
  readonly label: string;
  /** Asks once. @throws {ProbeError} */
  ask(signal: AbortSignal, method?: string, body?: string): Promise<ExchangeResponse>;
  /** Asks, and gives back the parsed body of an answer from 200 to 299. @throws {ProbeError} */
  askJson(signal: AbortSignal): Promise<unknown>;
  /** Lets go of the connections. */
  close(): Promise<void>;
}

/** @throws {ProbeOptionError} when an option cannot work. */
export function httpTarget(options: HttpTargetOptions, maxRedirects = 0): HttpTarget {
  assertProbeName(options.name);
  const url = parseUrl(options.url);
  const maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024;
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 1) {
    throw new ProbeOptionError('maxBodyBytes', 'a whole number of bytes of at least 1', maxBodyBytes);
  }
  if (!Number.isInteger(maxRedirects) || maxRedirects < 0) {
    throw new ProbeOptionError('maxRedirects', 'a whole number of at least 0', maxRedirects);
  }
  const exchange = createExchange({ maxRedirects });
  const label = url.origin + url.pathname;
  const headers = { accept: 'application/json', ...options.headers };
  const ask = (signal: AbortSignal, method = 'GET', body?: string): Promise<ExchangeResponse> =>
    exchange.request({ url, method, headers, maxBodyBytes, signal, ...(body === undefined ? {} : { body }) });
  return {
    label,
    ask,
    async askJson(signal) {
      const response = await ask(signal);
      if (response.status < 200 || response.status > 299) throw unexpectedStatus(response, label);
      return parseJson(response.body, label);
    },
    close: () => exchange.close(),
  };
}

function parseUrl(value: string | URL): URL {
  const url = URL.parse(String(value));
  // The value itself is not quoted: it may hold a password.
  if (url === null)
    throw new ProbeOptionError('url', 'an absolute http: or https: URL', 'a text that is no URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ProbeOptionError('url', 'an http: or https: URL', `${url.protocol}…`);
  }
  return url;
}

function unexpectedStatus(response: ExchangeResponse, label: string): ProbeError {
  if (response.status >= 300 && response.status < 400) {
    return new ProbeError(
      'HTTP_REDIRECT',
      `${label} answered ${response.status}, a redirect, which is not followed; name the final URL`,
    );
  }
  return new ProbeError('HTTP_STATUS', `${label} answered ${response.status}`);
}

function parseJson(text: string, label: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const shown = text.trim() === '' ? 'nothing' : JSON.stringify(text.slice(0, 60));
    throw new ProbeError('HTTP_NOT_JSON', `expected JSON from ${label}, got ${shown}`, { cause });
  }
}
