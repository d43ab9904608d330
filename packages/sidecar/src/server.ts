import type { RequestListener } from 'node:http';
import { failed, methodNotAllowed, neverStored, notFound } from '@botwarden/service/http';
import express, { type RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import type { VanishedPositions } from './boots/vanished.ts';
import { botOpenApi } from './bot/contract.ts';
import type { Clock } from './clock.ts';
import type { Drainer } from './drain/drain.ts';
import type { Hold } from './drain/hold.ts';
import type { ReceiptLog } from './drain/receipts.ts';
import type { EventLog } from './event-log.ts';
import type { Guard } from './guard.ts';
import { drainCall } from './http/drain-call.ts';
import { HEALTH_PATHS, healthAnswers } from './http/health-answers.ts';
import type { LeaseCall } from './http/lease-call.ts';
import openApi from './http/openapi.json' with { type: 'json' };
import { type PersonCallsOptions, personCalls } from './http/person-calls.ts';
import { needsToken } from './http/token.ts';
import type { LeaseBook } from './lease/leases.ts';

/** What the HTTP side is made of. */
export interface ServerOptions {
  readonly guard: Guard;
  readonly drainer: Drainer;
  readonly receipts: ReceiptLog;
  readonly registry: Registry;
  readonly leases: LeaseBook;
  readonly leaseCall: LeaseCall;
  readonly hold: Hold;
  readonly vanished: VanishedPositions;
  readonly keepLooked: PersonCallsOptions['keepLooked'];
  readonly clock: Clock;
  /** Without one, every call that needs it is off. */
  readonly drainToken: string | undefined;
  readonly log: EventLog;
}

/** The calls of the sidecar. All answers come from memory: no request makes a probe run. */
export function createApp(options: ServerOptions): RequestListener {
  const { guard, drainer, receipts, registry, leaseCall, hold, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(neverStored);

  const authorised = needsToken({
    drainToken: options.drainToken,
    refused: (request) =>
      log.warn(
        { event: 'http.unauthorised', method: request.method, path: request.path, from: request.ip },
        `${request.method} ${request.path} came without the right token; nothing was done.`,
      ),
  });
  const health = healthAnswers(guard);
  const reads: Record<string, RequestHandler> = {
    ...Object.fromEntries(
      HEALTH_PATHS.map((path): [string, RequestHandler] => [
        path,
        (request, response) => void health(request, response, path),
      ]),
    ),
    '/livez': (request, response, next) => {
      if (health(request, response, '/livez')) return;
      authorised(request, response, () => leaseCall.handler(request, response, next));
    },
    '/metrics': async (_request, response) => {
      response.type(registry.contentType).send(await registry.metrics());
    },
    '/openapi.json': (_request, response) => {
      response.json(openApi);
    },
    '/openapi-bot.json': (_request, response) => {
      response.json(botOpenApi());
    },
    '/drain': (_request, response) => {
      response.json(drainer.current() ?? drainer.last() ?? receipts.last() ?? { state: 'none' });
    },
    '/drains': (_request, response) => {
      response.json({ drains: receipts.newest() });
    },
    '/hold': (_request, response) => {
      const standing = hold.current();
      response.json({ hold: standing !== null, ...standing });
    },
  };
  const { lift, acknowledge } = personCalls(options);
  const text = express.text({ type: () => true, limit: '16kb' });
  const writes: readonly (readonly [string, 'POST' | 'DELETE', RequestHandler[]])[] = [
    ['/drain', 'POST', [authorised, text, drainCall(options)]],
    ['/hold', 'DELETE', [authorised, lift]],
    ['/acknowledge', 'POST', [authorised, acknowledge]],
  ];
  const paths = [...new Set([...Object.keys(reads), ...writes.map(([path]) => path)])];
  for (const path of paths) {
    const route = app.route(path);
    const allowed: string[] = [];
    const handler = reads[path];
    if (handler !== undefined) {
      route.get(handler);
      allowed.push('GET', 'HEAD');
    }
    for (const [to, method, handlers] of writes) {
      if (to !== path) continue;
      route[method === 'POST' ? 'post' : 'delete'](...handlers);
      allowed.push(method);
    }
    route.all(methodNotAllowed(path, allowed.join(', ')));
  }
  app.use(notFound(`; there are ${paths.join(', ')}`));
  app.use(
    failed((error) => log.error({ event: 'http.failed', err: error }, 'A request could not be answered.')),
  );
  // The questions about health are answered before anything of Express is done.
  return (request, response) => void (health(request, response) || app(request, response));
}
