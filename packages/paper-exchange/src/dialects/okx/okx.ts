import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Key, Keys } from '../../keys.ts';
import type { Refusal, WireRequest } from '../../wire/call.ts';
import type { Dialect } from '../dialect.ts';
import { isRejection, sayRefusal, sayRejection } from './errors.ts';
import { handlers } from './handlers.ts';

const HANDLERS = handlers();

/** A request that is older, or further ahead, is refused. */
const WINDOW_MS = 30_000;

/** OKX, version 5 of its API: swaps and spot. */
export const okx: Dialect = {
  name: 'okx',
  handler: ({ method, path }) => HANDLERS[`${method} ${path}`],
  authenticate,
  refuse(why, { method }) {
    // What is refused of an order stands in the list of orders; the request itself was fine.
    if (method === 'POST' && isRejection(why)) {
      const [sCode, sMsg] = sayRejection(why);
      const data = [{ ordId: '', clOrdId: '', tag: '', sCode, sMsg }];
      return { status: 200, body: { code: '1', msg: 'All operations failed', data } };
    }
    const [status, code, msg] = sayRefusal(why);
    return { status, body: { code, msg, data: [] } };
  },
};

function authenticate(request: WireRequest, keys: Keys, now: number): Key | Refusal {
  const { headers, method, path, search, body } = request;
  const key = keys.get(headers['ok-access-key']);
  if (key === undefined || headers['ok-access-passphrase'] !== key.passphrase) return 'unknown-key';
  const timestamp = String(headers['ok-access-timestamp']);
  const signed = `${timestamp}${method}${path}${search === '' ? '' : `?${search}`}${body}`;
  const expected = createHmac('sha256', key.secret).update(signed).digest();
  const given = Buffer.from(String(headers['ok-access-sign']), 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'bad-signature';
  const age = now - Date.parse(timestamp);
  return Math.abs(age) <= WINDOW_MS ? key : 'clock';
}
