import { createServer, type Server } from 'node:http';
import { createMonitor, eventLoopProbe, type MonitoredProbe } from '@botwarden/probes';
import { postgresProbe } from '@botwarden/probes/postgres';
import { terminusWithHealth } from '@botwarden/probes/terminus';
import { ConfigError } from '@botwarden/service/configuration';
import { listen, portOf } from '@botwarden/service/listen';
import { createLog, type Log } from '@botwarden/service/log';
import { lookup, tellStale } from '@botwarden/service/lookup';
import { type Config, loadConfig } from '../config/config.ts';
import { createHistory, type History } from '../history/history.ts';
import { createStore } from '../history/store.ts';
import type { Host } from '../host.ts';
import { isReader } from '../http/access.ts';
import { createApp } from '../http/app.ts';
import { createLive } from '../live.ts';
import { createMetrics } from '../metrics.ts';
import { VERSION } from '../version.ts';
import { watchBots } from '../watch/bots.ts';

/** How long the end may take: open answers, the last lines of history. In milliseconds. */
const STOP_MS = 4_000;

/** The longest that the last lines of the log may take to go out, in milliseconds. */
const LOG_MS = 250;

/** Serves the dashboard until a signal. Gives the exit code when it cannot. */
export async function serve(host: Host): Promise<number> {
  let config: Config;
  try {
    config = loadConfig(host.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`botwarden-dashboard: ${error.message}\n`);
    return 2;
  }
  const { secrets } = config;
  const log = createLog({
    service: 'botwarden-dashboard',
    version: VERSION,
    level: config.logLevel,
    secrets,
  });
  lookup.onStale(tellStale(log));

  const monitor = createMonitor({
    interval: config.probes.intervalMs,
    timeout: config.probes.timeoutMs,
    failureThreshold: config.probes.failureThreshold,
    spread: config.probes.intervalMs,
    // The past is kept here by what the sidecars say, and not by how they answered.
    history: { results: 5, failures: 5 },
    secrets,
    probes: ownProbes(config),
    // A bot that fails, or a database that is down, must make nobody restart the dashboard.
    groups: { readiness: ['event-loop'], startup: ['event-loop'] },
  });
  const bots = watchBots({ sidecars: config.sidecars, monitor, secrets });
  let history: History;
  const store =
    config.databaseUrl === undefined
      ? undefined
      : createStore({
          connectionString: config.databaseUrl,
          maxAgeMs: config.historyMaxAgeMs,
          secrets,
          log,
          onPast: (past) => history.recall(past),
        });
  history = createHistory(bots.names, (keepsake) => store?.keep(keepsake));
  const live = createLive(bots, history, config.maxPages);
  bots.onLook((name, asked) => {
    const view = bots.view(name);
    if (view === undefined) return;
    live.news(history.observe(view, asked === 'health'));
    live.changed(name);
  });

  const registry = createMetrics({ monitor, openPages: live.open, historyLost: () => store?.lost() ?? 0 });
  const server = createServer(createApp({ config, bots, history, live, registry, client: host.client, log }));
  const problem = await listen(server, config);
  if (problem !== null) {
    log.error({ event: 'listen.failed' }, problem);
    await store?.close(STOP_MS / 4);
    await log.flush(LOG_MS);
    return host.exit(1);
  }
  terminusWithHealth(server, monitor, {
    signals: ['SIGTERM', 'SIGINT'],
    timeout: STOP_MS / 4,
    hookTimeout: STOP_MS,
    details: 'when-authorized',
    authorize: ({ headers }) => isReader(headers, config.access),
    document: {
      version: '1',
      releaseId: VERSION,
      serviceId: 'botwarden-dashboard',
      description: 'the dashboard, and how it reaches the sidecars',
    },
    async beforeShutdown() {
      log.info({ event: 'stopping' }, 'Stopping.');
      bots.close();
      live.close();
    },
    async onShutdown() {
      history.flush();
      await store?.close(STOP_MS / 2);
      log.info({ event: 'stopped' }, 'Stopped.');
      await log.flush(LOG_MS);
      host.exit(0);
    },
    logger: (message, error) => log.error({ event: 'shutdown.failed', err: error }, message),
  });
  monitor.start();
  sayWhere(server, config, log);
  return 0;
}

/** What the dashboard must have itself: an event loop that turns, and the database if there is one. */
function ownProbes({ databaseUrl }: Config): MonitoredProbe[] {
  const loop = { probe: eventLoopProbe({ name: 'event-loop' }) };
  if (databaseUrl === undefined) return [loop];
  const database = postgresProbe({
    lookup,
    name: 'history-database',
    connectionString: databaseUrl,
    applicationName: 'botwarden-dashboard-probe',
  });
  return [loop, { probe: database, critical: false }];
}

function sayWhere(server: Server, { host, port, access, sidecars }: Config, log: Log): void {
  const at = portOf(server, port);
  log.info(
    { event: 'listening', host, port: at },
    `Watching ${sidecars.length} bot${sidecars.length === 1 ? '' : 's'}; the page is at http://localhost:${at}/.`,
  );
  const loopback = /^(?:127\.|::1$|localhost$)/.test(host);
  if (!loopback && access.user === undefined && access.token === undefined) {
    log.warn(
      { event: 'access.open' },
      `Whoever reaches ${host}:${at} can read everything here: publish the port on 127.0.0.1 only, or set DASHBOARD_USER and DASHBOARD_PASSWORD.`,
    );
  }
}
