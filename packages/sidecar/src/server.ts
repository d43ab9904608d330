import { setTimeout as sleep } from 'node:timers/promises';
import { HEALTH_JSON_TYPE } from '@botwarden/probes';
import { failed, methodNotAllowed, neverStored, notFound, refuse } from '@botwarden/service/http';
import { carries } from '@botwarden/service/token';
import express, { type Express, type RequestHandler } from 'express';
import type { Registry } from 'prom-client';
import type { Drainer } from './drain/drain.ts';
import type { ReceiptLog } from './drain/receipts.ts';
import type { EventLog } from './event-log.ts';
import type { Guard } from './guard.ts';
import { VERSION } from './version.ts';

/** What the HTTP side is made of. */
export interface ServerOptions {
  readonly guard: Guard;
  readonly drainer: Drainer;
  readonly receipts: ReceiptLog;
  readonly registry: Registry;
  /** Without one, POST /drain is off. */
  readonly drainToken: string | undefined;
  readonly log: EventLog;
}

/** The calls of the sidecar. All answers come from memory: no request makes a probe run. */
export function createApp(options: ServerOptions): Express {
  const { guard, drainer, receipts, registry, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(neverStored);

  const reads: Record<string, RequestHandler> = {
    '/livez': (_request, response) => {
      const { live, because } = guard.live();
      response.status(live ? 200 : 503).json({ live, ...(because === null ? {} : { because }) });
    },
    '/readyz': (_request, response) => {
      const { ready, because } = guard.ready();
      response.status(ready ? 200 : 503).json({ ready, ...(because === null ? {} : { because }) });
    },
    '/startupz': (_request, response) => {
      const started = guard.started();
      response.status(started ? 200 : 503).json({ started });
    },
    '/healthz': (_request, response) => {
      const health = guard.health();
      response
        .status(health.status === 'fail' ? 503 : 200)
        .type(HEALTH_JSON_TYPE)
        .send(JSON.stringify(health));
    },
    '/ping': (_request, response) => {
      response.json({ ping: 'pong', version: VERSION });
    },
    '/metrics': async (_request, response) => {
      response.type(registry.contentType).send(await registry.metrics());
    },
    '/drain': (_request, response) => {
      response.json(drainer.current() ?? drainer.last() ?? receipts.last() ?? { state: 'none' });
    },
    '/drains': (_request, response) => {
      response.json({ drains: receipts.newest() });
    },
  };
  for (const [path, handler] of Object.entries(reads)) {
    const route = app.route(path).get(handler);
    if (path === '/drain') route.post(drainNow(options));
    route.all(methodNotAllowed(path, path === '/drain' ? 'GET, HEAD, POST' : 'GET, HEAD'));
  }
  app.use(notFound(`; there are ${Object.keys(reads).join(', ')}`));
  app.use(
    failed((error) => log.error({ event: 'http.failed', err: error }, 'A request could not be answered.')),
  );
  return app;
}

/** After a request was read, the end of its connection, if that has come too, is read within so many milliseconds. */
const CALLER_GONE_MS = 25;

function drainNow({ drainer, drainToken, log }: ServerOptions): RequestHandler {
  return async (request, response) => {
    request.resume();
    if (drainToken === undefined) {
      return refuse(response, 403, 'DRAIN_OFF', 'POST /drain is off; set DRAIN_TOKEN to switch it on');
    }
    if (!carries(request.get('authorization'), drainToken)) {
      response.set('WWW-Authenticate', 'Bearer realm="botwarden"');
      log.warn(
        { event: 'drain.unauthorised', from: request.ip },
        'POST /drain came without the right token; nothing was done.',
      );
      return refuse(
        response,
        401,
        'DRAIN_UNAUTHORISED',
        'expected Authorization: Bearer with the DRAIN_TOKEN',
      );
    }
    // A sidecar that was frozen for a while finds what was asked for meanwhile, by callers who have long given up. The
    // bot that such a call meant may be gone: its successor must not be drained, and left halted, in its place.
    await sleep(CALLER_GONE_MS);
    const { socket } = request;
    if (socket.readableEnded || socket.destroyed) {
      log.warn(
        { event: 'drain.caller_gone' },
        'POST /drain came from a caller that had already given up; nothing was done.',
      );
      return;
    }
    const receipt = drainer.drain('http', { reason: 'POST /drain' });
    if (request.query.wait === 'false') {
      response.status(202).json(drainer.current() ?? drainer.last());
      return;
    }
    const ended = await receipt;
    if (!response.destroyed)
      response.status(ended.state === 'flat' || ended.state === 'nothing_to_do' ? 200 : 503).json(ended);
  };
}
