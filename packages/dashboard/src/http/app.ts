import { failed, neverStored, notFound, refuse } from '@botwarden/service/http';
import type { Log } from '@botwarden/service/log';
import express, { type Express } from 'express';
import helmet from 'helmet';
import type { Registry } from 'prom-client';
import type { z } from 'zod';
import type { Config } from '../config/config.ts';
import { allDrains } from '../history/attention.ts';
import type { History } from '../history/history.ts';
import type { Live } from '../live.ts';
import type { Bots, BotView } from '../watch/bots.ts';
import { guardAccess } from './access.ts';
import { createAssets } from './assets.ts';
import type { botAnswer, botsAnswer, oneBotAnswer } from './contract.ts';
import { openApi } from './openapi.ts';
import { personActions } from './person-actions.ts';

/** What the HTTP side is made of. */
export interface AppOptions {
  readonly config: Config;
  readonly bots: Bots;
  readonly history: History;
  readonly live: Live;
  readonly registry: Registry;
  /** The folder of the files that the page is made of. */
  readonly client: URL;
  readonly log: Log;
}

/** The pages and the API. All answers come from memory: no request runs a probe or waits for a database. */
export function createApp(options: AppOptions): Express {
  const { config, bots, history, live, registry, client, log } = options;
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders());
  app.use(neverStored);
  app.use(guardAccess(config.access, log));
  app.use('/assets', createAssets(client));

  app.get('/', (_request, response) => void response.type('html').send(live.page()));
  app.get('/bots/:bot', (request, response) => {
    const page = live.page(request.params.bot);
    if (page === undefined) return refuse(response, 404, 'UNKNOWN_BOT', 'there is no bot of that name here');
    response.type('html').send(page);
  });
  app.get('/events', (request, response) => {
    const { bot, since } = request.query;
    const answered = live.stream(request, response, {
      bot: typeof bot === 'string' ? bot : undefined,
      since: request.get('last-event-id') ?? (typeof since === 'string' ? since : undefined),
    });
    if (answered === 'unknown')
      return refuse(response, 404, 'UNKNOWN_BOT', 'there is no bot of that name here');
    if (answered === 'full') {
      response.set('Retry-After', '10');
      refuse(response, 503, 'TOO_MANY_PAGES', `${config.maxPages} pages are open already; see MAX_PAGES`);
    }
  });
  app.use(personActions({ bots, sidecars: config.sidecars, log }));

  app.get('/api/bots', (_request, response) => {
    response.json({
      now: new Date().toISOString(),
      bots: bots.names.flatMap((name) => bots.view(name) ?? []).map((view) => asJson(view, history)),
    } satisfies z.input<typeof botsAnswer>);
  });
  app.get('/api/bots/:bot', (request, response) => {
    const view = bots.view(request.params.bot);
    if (view === undefined) return refuse(response, 404, 'UNKNOWN_BOT', 'there is no bot of that name here');
    response.json({
      ...asJson(view, history),
      checks_last_hour: Object.fromEntries(
        (view.report?.checks ?? []).map(({ name }) => [name, history.hour(view.name, name).cells]),
      ),
      timeline: history
        .events(view.name)
        .map(({ at, kind, subject, text }) => ({ at: new Date(at).toISOString(), kind, subject, text })),
    } satisfies z.input<typeof oneBotAnswer>);
  });
  const described = openApi();
  app.get('/openapi.json', (_request, response) => void response.json(described));
  app.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });

  app.use(notFound());
  app.use(
    failed((error) => log.error({ event: 'http.failed', err: error }, 'A request could not be answered.')),
  );
  return app;
}

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
function securityHeaders(): express.RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Whoever puts TLS before it decides for how long a browser may insist on that.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
}

/** A bot as the API tells it. */
function asJson(view: BotView, history: History): z.input<typeof botAnswer> {
  const { name, verdict, inTouch, heardAt, report } = view;
  const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
  return {
    name,
    verdict: { kind: verdict.kind, word: verdict.word, because: verdict.because },
    in_touch: inTouch,
    heard_at: iso(heardAt),
    positions:
      report?.positions == null
        ? null
        : {
            open_positions: report.positions.open,
            pending_orders: report.positions.pending,
            open: report.positions.positions,
            pending: report.positions.orders,
            at: iso(report.positions.at),
          },
    bot:
      report === null
        ? null
        : {
            name: report.bot.name,
            instance: report.bot.instance,
            trading: report.bot.trading,
            database: report.bot.database,
            last_tick_at: iso(report.bot.lastTickAt),
          },
    heal:
      report === null
        ? null
        : {
            live: report.heal.live,
            reason: report.heal.reason,
            heals_last_hour: report.heal.lastHour,
            capped: report.heal.capped,
            boot: report.heal.boot,
            boots_unasked: report.heal.bootsUnasked,
          },
    hold: report?.hold == null ? null : { since: iso(report.hold.since), reason: report.hold.reason },
    vanished:
      report?.vanished == null
        ? null
        : { boot: report.vanished.boot, open: report.vanished.open, now_open: report.vanished.nowOpen },
    acknowledged_at: iso(history.lookedAt(name)),
    alerts: report === null ? null : { undelivered: report.undelivered },
    checks: (report?.checks ?? []).map((check) => ({
      name: check.name,
      state: check.state,
      critical: check.critical,
      since: iso(check.since),
      at: iso(check.at),
      response_ms: check.responseMs,
      measured: check.measured,
      output: check.output,
      code: check.code,
    })),
    drains: allDrains(view, history).map(({ receipt, outcome, acknowledged }) => ({
      drain_id: receipt.id,
      outcome,
      trigger: receipt.trigger,
      started_at: iso(receipt.startedAt),
      at: iso(receipt.at),
      duration_ms: receipt.durationMs,
      open_positions: receipt.open,
      pending_orders: receipt.pending,
      reason: receipt.reason,
      boot: receipt.boot ?? receipt.instance,
      proof: receipt.proof,
      acknowledged,
    })),
  };
}
