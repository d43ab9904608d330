import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dialect } from '../dialects/dialect.ts';
import type { Faults, Misdeed } from '../faults.ts';
import type { Keys } from '../keys.ts';
import { Account } from '../venue/account.ts';
import type { History } from '../venue/history.ts';
import { Rejection } from '../venue/rejection.ts';
import type { Venue } from '../venue/venue.ts';
import type { Answer, WireRequest } from './call.ts';
import type { CallLog } from './call-log.ts';

/** What answers. */
export interface ListenerOptions {
  readonly dialects: readonly Dialect[];
  readonly venue: Venue;
  readonly history: History;
  readonly keys: Keys;
  readonly faults: Faults;
  readonly calls: CallLog;
  /** What steers the exchange; undefined where the request is none of its calls. */
  readonly control: (request: WireRequest) => Answer | undefined;
}

const BODY_LIMIT = 1_000_000;
const NOBODY = new Account('nobody');

/** Answers requests as the exchange whose call it is, with whatever fault waits for it. */
export function createListener(options: ListenerOptions): RequestListener {
  return (message, response) => {
    answer(options, message, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, { status: 500, body: { error: String(error) } });
      else response.destroy();
    });
  };
}

async function answer(
  options: ListenerOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const request = await read(message);
  if (request === undefined) return void response.destroy();
  const steered = options.control(request);
  if (steered !== undefined) return send(response, steered);
  const dialect = options.dialects.find((one) => one.handler(request) !== undefined);
  const handler = dialect?.handler(request);
  if (dialect === undefined || handler === undefined) {
    return send(response, {
      status: 404,
      body: { code: '404', msg: `there is no ${request.method} ${request.path}` },
    });
  }
  const said = [request.search, request.body].filter((part) => part !== '').join(' ');
  options.calls.add({
    at: Date.now(),
    dialect: dialect.name,
    call: handler.call,
    method: request.method,
    path: request.path,
    said: said.replace(/&?signature=[^&]*/, ''),
  });
  const act = (): Answer => attempt(options, dialect, handler, request);
  const misdeed = options.faults.hit(handler.call, `${request.path} ${said}`);
  if (misdeed === undefined) return send(response, act());
  await misbehave(misdeed, { act, dialect, request, response });
}

/** What an honest exchange answers. */
function attempt(
  { venue, history, keys }: ListenerOptions,
  dialect: Dialect,
  handler: NonNullable<ReturnType<Dialect['handler']>>,
  request: WireRequest,
): Answer {
  let account = NOBODY;
  if (handler.needs !== 'public') {
    const key = dialect.authenticate(request, keys, venue.now());
    if (typeof key === 'string') return dialect.refuse(key, request);
    if (handler.needs === 'trade' && key.may !== 'trade') return dialect.refuse('not-permitted', request);
    account = venue.account(key.account);
  }
  try {
    return handler.answer({ venue, history, account, request });
  } catch (error) {
    if (error instanceof Rejection) return dialect.refuse(error.reason, request);
    throw error;
  }
}

interface Stage {
  readonly act: () => Answer;
  readonly dialect: Dialect;
  readonly request: WireRequest;
  readonly response: ServerResponse;
}

async function misbehave(misdeed: Misdeed, { act, dialect, request, response }: Stage): Promise<void> {
  if ('refuse' in misdeed) {
    const refused = dialect.refuse(misdeed.refuse, request);
    return send(response, {
      ...refused,
      ...(misdeed.headers === undefined ? {} : { headers: misdeed.headers }),
    });
  }
  if ('status' in misdeed) {
    return send(response, {
      status: misdeed.status,
      headers: misdeed.headers ?? {},
      body: misdeed.body ?? '',
    });
  }
  if ('say' in misdeed) {
    act();
    return send(response, { status: 200, body: misdeed.say });
  }
  if ('delay' in misdeed) {
    await sleep(misdeed.delay);
    return send(response, act());
  }
  if ('silent' in misdeed) {
    await sleep(misdeed.silent);
    act();
    return;
  }
  if ('reset' in misdeed) {
    const answer = misdeed.reset === 'before' ? undefined : act();
    if (misdeed.reset === 'half' && answer !== undefined) {
      const text = JSON.stringify(answer.body);
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      await new Promise((resolve) => response.write(text.slice(0, Math.ceil(text.length / 2)), resolve));
    }
    return void response.destroy();
  }
  const { method, path, search, headers, body } = request;
  const msg = `bad request: ${method} ${path}?${search} ${JSON.stringify(headers)} ${body}`;
  return send(response, {
    status: misdeed.echo,
    body: { code: -1102, msg, data: [{ sCode: '51000', sMsg: msg }] },
  });
}

async function read(message: IncomingMessage): Promise<WireRequest | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > BODY_LIMIT) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  const [path = '/', search = ''] = (message.url ?? '/').split(/\?(.*)/s);
  return {
    method: message.method ?? 'GET',
    path,
    search,
    headers: message.headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

function send(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' && !/^\s*[[{]/.test(body) ? 'text/html' : 'application/json';
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers });
  response.end(text);
}
