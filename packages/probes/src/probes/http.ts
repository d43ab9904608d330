import { ProbeError, ProbeOptionError } from '../errors.ts';
import { type ExchangeResponse, exchange, labelOf } from '../exchange.ts';
import type { Lookup } from '../lookup.ts';
import { assertProbeName, type Observation, type Probe } from '../probe.ts';
import { redact } from '../redact.ts';

/** Options that every probe over HTTP has. */
export interface HttpTargetOptions {
  /** Unique within a monitor. */
  name: string;
  /** `http:` or `https:`. Credentials in it are sent as basic authorization and never shown. */
  url: string | URL;
  /** Sent with each request. Default: `accept: application/json`. */
  headers?: Readonly<Record<string, string>>;
  /** Longest answer that is read, in bytes; a longer one fails. Default 1 MiB (1048576). */
  maxBodyBytes?: number;
  /** Certificates to trust in place of the system's, as PEM. Default: those of the system. */
  ca?: string;
  /** Finds the address of the host. Default: as Node does by itself, in its shared threads. */
  lookup?: Lookup;
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
  const { status = isSuccess, json, method, body } = options;
  const accepts = typeof status === 'function' ? status : (code: number) => status.includes(code);
  return {
    name: options.name,
    async run(signal) {
      const response = await target.ask(signal, method, body);
      if (!accepts(response.status)) throw target.unexpectedStatus(response);
      if (json === undefined) return { details: { status: response.status } };
      const verdict: unknown = await json(target.parseJson(response));
      if (verdict === true) return { details: { status: response.status } };
      // Only a clear yes passes: a function that forgot its `return` must not.
      if (typeof verdict !== 'object' || verdict === null) {
        throw new ProbeError(
          'HTTP_UNEXPECTED_BODY',
          `${target.label} answered ${response.status} with a body that was not accepted`,
        );
      }
      return verdict as Observation;
    },
  };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** A URL that can be asked again and again. */
export interface HttpTarget {
  /** The URL without credentials and query, for messages. */
  readonly label: string;
  /** Asks once. @throws {ProbeError} */
  ask(signal: AbortSignal, method?: string, body?: string): Promise<ExchangeResponse>;
  /** Asks, and gives back the parsed body of an answer from 200 to 299. @throws {ProbeError} */
  askJson(signal: AbortSignal): Promise<unknown>;
  /** @throws {ProbeError} `HTTP_NOT_JSON` */
  parseJson(response: ExchangeResponse): unknown;
  /** The error for a status that was not expected. */
  unexpectedStatus(response: ExchangeResponse): ProbeError;
}

/** @throws {ProbeOptionError} when an option cannot work. */
export function httpTarget(options: HttpTargetOptions, maxRedirects = 0): HttpTarget {
  assertProbeName(options.name);
  const url = parseUrl(options.url);
  const label = labelOf(url);
  const maxBodyBytes = wholeNumber('maxBodyBytes', options.maxBodyBytes ?? 1024 * 1024, 1);
  wholeNumber('maxRedirects', maxRedirects, 0);
  const asked = {
    url,
    headers: { accept: 'application/json', ...options.headers },
    maxBodyBytes,
    maxRedirects,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
  };
  const target: HttpTarget = {
    label,
    ask: (signal, method = 'GET', body?) =>
      exchange({ ...asked, method, signal, ...(body === undefined ? {} : { body }) }),
    async askJson(signal) {
      const response = await target.ask(signal);
      if (!isSuccess(response.status)) throw target.unexpectedStatus(response);
      return target.parseJson(response);
    },
    parseJson({ body }) {
      try {
        return JSON.parse(body);
      } catch {
        // The parser's own error is left out: it quotes the text, from where a credential could be cut in two.
        throw new ProbeError('HTTP_NOT_JSON', `expected JSON from ${label}, got ${quote(body)}`);
      }
    },
    unexpectedStatus({ status }) {
      if (status < 300 || status > 399) return new ProbeError('HTTP_STATUS', `${label} answered ${status}`);
      const what =
        maxRedirects === 0
          ? 'a redirect, which is not followed; name the final URL'
          : `still a redirect after following ${maxRedirects}`;
      return new ProbeError('HTTP_REDIRECT', `${label} answered ${status}, ${what}`);
    },
  };
  return target;
}

function wholeNumber(option: string, value: number, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw new ProbeOptionError(option, `a whole number of at least ${min}`, value);
}

function parseUrl(value: string | URL): URL {
  const url = URL.parse(String(value));
  // The value itself is not quoted: it may hold a password.
  if (url === null) {
    throw new ProbeOptionError('url', 'an absolute http: or https: URL', 'a text that is no URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new ProbeOptionError('url', 'an http: or https: URL', `${url.protocol}…`);
  }
  return url;
}

/** The beginning of a text; masked before it is cut, so that no half of a credential gets through. */
function quote(text: string): string {
  const start = redact(text.trim().slice(0, 2000)).slice(0, 60);
  return start === '' ? 'nothing' : JSON.stringify(start);
}
