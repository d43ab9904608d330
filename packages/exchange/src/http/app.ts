import { failed, methodNotAllowed, neverStored, notFound, refuse } from '@botwarden/service/http';
import type { Log } from '@botwarden/service/log';
import { carries } from '@botwarden/service/token';
import express, { type Express, type RequestHandler } from 'express';
import type { Account } from '../account/account.ts';
import { ExchangeError } from '../account/errors.ts';
import type { Reader } from '../account/reader.ts';
import type { Closer } from '../close/closer.ts';
import { judge } from '../close/judge.ts';
import { plan } from '../close/plan.ts';
import { VERSION } from '../version.ts';
import type { Watch } from '../watch.ts';
import { type CloseBody, readCloseRequest } from './close-request.ts';
import { refuseFor } from './errors.ts';
import { positionsBody } from './positions.ts';

/** What the HTTP side is made of. */
export interface AppOptions {
  readonly account: Account;
  readonly reader: Reader;
  readonly closer: Closer;
  readonly watch: Watch;
  readonly symbols: ReadonlySet<string> | null;
  readonly token: string;
  /** The id of this start. */
  readonly instance: string;
  /** What is looked at, as `/health` tells it to those who carry the token. */
  readonly scope: object;
  readonly log: Log;
}

const BODY_LIMIT = '64kb';

/** The calls of a bot, answered from the exchange. */
export function createApp(options: AppOptions): Express {
  const { account, reader, closer, watch, symbols, token, instance, scope, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(neverStored);

  const authorised: RequestHandler = (request, response, next) => {
    if (carries(request.get('authorization'), token)) return next();
    response.set('WWW-Authenticate', 'Bearer realm="botwarden"');
    log.warn(
      { event: 'token.refused', from: request.ip, path: request.path },
      'Somebody came without the right token; nothing was done.',
    );
    refuse(response, 401, 'UNAUTHORISED', 'expected Authorization: Bearer with the EXCHANGE_TOKEN');
  };

  app
    .route('/ping')
    .get((_request, response) => void response.json({ ping: 'pong', version: VERSION }))
    .all(methodNotAllowed('/ping', 'GET, HEAD'));

  app
    .route('/health')
    .get((request, response) => {
      const { ok, readAt, error, rights } = watch.standing();
      const isKnown = carries(request.get('authorization'), token);
      response.status(ok ? 200 : 503).json({
        status: ok ? 'ok' : readAt === null ? 'starting' : 'unreadable',
        instance,
        // It opens nothing, ever.
        trading: 'halted',
        dry_run: true,
        ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
        ...(isKnown
          ? { exchange: { ...scope, keys_may: rights, read_at: readAt?.toISOString() ?? null } }
          : {}),
      });
    })
    .all(methodNotAllowed('/health', 'GET, HEAD'));

  app
    .route('/positions')
    .get(authorised, async (_request, response) => {
      try {
        response.json(positionsBody(judge(await reader.fresh(), symbols, account.limits)));
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        refuseFor(response, error, false);
      }
    })
    .all(methodNotAllowed('/positions', 'GET, HEAD'));

  app
    .route('/close-positions')
    .post(authorised, express.json({ limit: BODY_LIMIT }), async (request, response) => {
      const asked = readCloseRequest(request.body, request.get('idempotency-key'), Date.now());
      if (typeof asked === 'string') return refuse(response, 400, 'BAD_REQUEST', asked);
      if (asked.deadline <= Date.now()) {
        // Whoever asked has given up; what is open now may be another bot's.
        return refuse(response, 409, 'DEADLINE_PASSED', 'the deadline has passed; nothing was done');
      }
      try {
        response.json(asked.dryRun ? await rehearse() : await close(asked));
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        refuseFor(response, error, true);
      }
    })
    .all(methodNotAllowed('/close-positions', 'POST'));

  async function rehearse(): Promise<object> {
    if ((await watch.rights()) === 'read') {
      throw new ExchangeError(
        'EXCHANGE_READ_ONLY',
        'these keys may read and not trade: a close would close nothing',
      );
    }
    const judged = judge(await reader.fresh(), symbols, account.limits);
    const { closes, stuck } = plan(judged, account.limits, new Map());
    return {
      dry_run: true,
      ...positionsBody(judged),
      would_send: closes.map(({ holding, amounts }) => ({
        symbol: holding.symbol,
        side: holding.side === 'long' ? 'sell' : 'buy',
        amounts: amounts.map(Number),
      })),
      could_not_close: stuck.map(({ holding, why }) => ({ symbol: holding.symbol, why })),
    };
  }

  async function close({ key, deadline, reason }: CloseBody): Promise<object> {
    log.info({ event: 'close.asked', drain_id: key, reason }, 'Told to close everything.');
    const state = await closer.close({ key, deadline });
    const { left, sent, cancelled, problems } = state;
    log[left.open.length + left.orders.length === 0 ? 'info' : 'error'](
      {
        event: 'close.ended',
        drain_id: key,
        open_positions: left.open.length,
        pending_orders: left.orders.length,
      },
      `${left.open.length} open position(s) and ${left.orders.length} pending order(s) are left.`,
    );
    return { ...positionsBody(left), closing_orders: sent, cancelled_orders: cancelled, problems };
  }

  app.use(notFound('; there are /health, /positions, /close-positions, /ping'));
  app.use(
    failed((error) => log.error({ event: 'http.failed', err: error }, 'A request could not be answered.')),
  );
  return app;
}
