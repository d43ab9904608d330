import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { createMonitor, type MonitoredProbe, ProbeOptionError, probe } from '@botwarden/probes';
import { ConfigError } from '@botwarden/service/configuration';
import { listen, portOf } from '@botwarden/service/listen';
import { createLog, type Log } from '@botwarden/service/log';
import { lookup, tellStale } from '@botwarden/service/lookup';
import { withoutCredentials } from '@botwarden/service/url';
import { createTerminus } from '@godaddy/terminus';
import { type Alert, alertsFile } from '../alerts/alert.ts';
import { createAlerts } from '../alerts/alerts.ts';
import { positionsMemorySchema, watchVanishedPositions } from '../boots/vanished.ts';
import type { Bot } from '../bot/bot.ts';
import { createRehearsal, REHEARSE_EVERY_MS } from '../bot/rehearsal.ts';
import { systemClock } from '../clock.ts';
import { type Config, loadConfig, RESERVE_MS } from '../config/config.ts';
import { loadProbesFile } from '../config/probes-file.ts';
import { createDefects } from '../defects.ts';
import { createDrainer, exitCodeOf } from '../drain/drain.ts';
import { createEmergencyCall } from '../drain/emergency.ts';
import { createHold, holdSchema } from '../drain/hold.ts';
import { createHoldKeeper } from '../drain/holding.ts';
import { openReceiptLog, type Receipt } from '../drain/receipts.ts';
import { decideOnReturn } from '../drain/returning.ts';
import { createGuard } from '../guard.ts';
import { healFile } from '../heal/heal-file.ts';
import type { Host, StopSignal } from '../host.ts';
import { createLeaseCall } from '../http/lease-call.ts';
import { lookedSchema } from '../http/person-calls.ts';
import { createLeases } from '../lease/leases.ts';
import { createMetrics } from '../metrics.ts';
import { createApp } from '../server.ts';
import { openStateFolder } from '../state/state-folder.ts';
import { VERSION } from '../version.ts';
import { botProbes } from '../watch/bot-probes.ts';
import { selfOf } from '../watch/facts.ts';
import { createKnownModels } from '../watch/known-models.ts';
import { watchOpenNow } from '../watch/open-now.ts';
import { createTickLimit } from '../watch/tick-limit.ts';
import { explain } from '../watch/unmendable.ts';
import { createBot } from './create-bot.ts';
import { createFlatChecks } from './flat-checks.ts';

/** The very end of the budget: open connections end, the last alerts go out, the process exits; in milliseconds. */
const EXIT_MS = 500;

/** A bot that is to be read no more often than this, in milliseconds, counts its calls. */
const LIMITED_MS = 1_000;

/** What is left for the exit itself, in milliseconds. */
const LAST_MS = 50;

/** The longest that the last lines of the log may take to go out, in milliseconds. */
const LOG_MS = 250;

/** How long a process that ends well waits for its alerts, in milliseconds. */
const GOOD_NEWS_MS = 1000;

/** After a drain on its own signal, the gate is told how it ended within so many milliseconds. */
const TELL_GATE_MS = 2_000;

/** `botwarden serve`: watches the bot until a signal, then drains and exits with what became of it. */
export async function serve(args: readonly string[], host: Host): Promise<number> {
  if (args.length > 0) {
    host.stderr.write(
      'botwarden serve takes no arguments; it reads the environment. See botwarden --help.\n',
    );
    return 2;
  }
  let config: Config;
  let declared: readonly MonitoredProbe[] = [];
  try {
    config = loadConfig(host.env).config;
    if (config.probes.file !== undefined) declared = await loadProbesFile(config.probes.file, host.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`botwarden: ${error.message}\n`);
    return 2;
  }
  try {
    return await guardBot(config, declared, host);
  } catch (error) {
    if (!(error instanceof ProbeOptionError)) throw error;
    // The one option of a probe that is not checked with the rest: it takes the files that the URL names.
    const problem = { name: 'DATABASE_URL', expected: 'a URL whose certificate files can be read' };
    host.stderr.write(`botwarden: ${new ConfigError([problem]).message}\n`);
    return host.exit(2);
  }
}

async function guardBot(config: Config, declared: readonly MonitoredProbe[], host: Host): Promise<number> {
  const log = createLog({
    service: 'botwarden',
    version: VERSION,
    level: config.logLevel,
    secrets: config.secrets,
    fields: { bot: config.botName },
  });
  lookup.onStale(tellStale(log));
  const clock = systemClock;
  const { botName, secrets } = config;
  const receipts = await openReceiptLog({ path: config.drain.log, log });
  const state = openStateFolder(dirname(config.drain.log));
  const alerts = createAlerts({
    botName,
    url: config.alertWebhookUrl,
    file: state.file('alerts.json', alertsFile),
    log,
    clock,
    secrets,
  });
  const alert = (what: Alert): void => void alerts.send(what);
  const defects = createDefects({ log, alert });
  const bot = createBot(config.bot);
  const leases = createLeases();
  const hold = createHold({ file: state.file('hold.json', holdSchema), now: clock.now });
  const looked = state.file('acknowledged.json', lookedSchema);
  void looked.load().then(({ value }) => value !== null && receipts.acknowledge(value.at));
  const vanished = watchVanishedPositions({
    file: state.file('vanished.json', positionsMemorySchema),
    alert,
    log,
  });
  const tickLimit = createTickLimit(config.probes.tickMaxAgeMs, clock.elapsed);
  const knownModels = createKnownModels();
  const monitor = createMonitor({
    onListenerError: (error, event) => defects.tell(`in what listens to each ${event} of a probe`, error),
    interval: config.probes.intervalMs,
    timeout: config.probes.timeoutMs,
    failureThreshold: config.probes.failureThreshold,
    successThreshold: config.probes.successThreshold,
    secrets,
    probes: [
      ...botProbes({
        bot,
        expectedModels: config.bot.expectedModels,
        knownModels,
        tickLimit,
        timeoutMs: config.probes.timeoutMs,
        startupGraceMs: config.heal.startupGraceMs,
        now: clock.now,
        drained: (instance) => receipts.lastOf(instance)?.state === 'flat',
        ...(config.databaseUrl === undefined ? {} : { databaseUrl: config.databaseUrl }),
      }),
      closePathProbe(bot, config.drain.closeTimeoutMs, () => spares()),
      ...declared,
    ],
  });
  const openNow = watchOpenNow(bot, {
    // Beside the probes, no more than a quarter of what a drain may ask.
    intervalMs: Math.max(config.probes.intervalMs, 4 * bot.pace.readEveryMs),
    timeoutMs: config.probes.timeoutMs,
    spares: () => spares(),
    boot: leases.holder,
    seen: vanished.seen,
    secrets,
  });
  const drainer = createDrainer({
    bot,
    leases,
    receipts,
    log,
    drainTimeoutMs: config.drain.timeoutMs - EXIT_MS,
    closeTimeoutMs: config.drain.closeTimeoutMs,
    reserveMs: RESERVE_MS - EXIT_MS,
    flatChecks: createFlatChecks(config),
    emergency:
      config.drain.emergencyUrl === undefined
        ? undefined
        : createEmergencyCall({ url: config.drain.emergencyUrl }),
    alert: (alert) => alerts.send(alert),
    secrets,
    currentInstance: () => guard.instance(),
    lastTraded: () => guard.lastTraded(),
    vanished: vanished.current,
    clock,
  });
  drainer.on('change', ({ attempts }) => attempts > 0 && vanished.closed());
  // A bot that limits how often it is asked must have answers left for the drain.
  const spares = (): boolean => bot.pace.readEveryMs >= LIMITED_MS && drainer.current() !== null;
  const guard = createGuard({
    botName,
    monitor,
    failureThreshold: config.probes.failureThreshold,
    drainer,
    receipts,
    // Without a token no gate can hold a lease.
    leases: config.drain.token === undefined ? null : leases,
    hold,
    vanished,
    rules: config.heal,
    tickLimit,
    knownModels,
    memory: state.file('heal.json', healFile),
    stateProblems: state.problems,
    openNow: openNow.read,
    alert,
    alertState: alerts.state,
    // Before the bot is left to a person: what is open is closed, or the emergency call is made.
    atTheCap: (why) => void drainer.drain('http', { reason: `the cap of restarts was reached: ${why}` }),
    defects,
    log,
    clock,
  });

  const registry = createMetrics({
    botName,
    monitor,
    guard,
    drainer,
    openNow: openNow.read,
    leaseHeld: () => leases.holder() !== null,
    held: () => hold.current() !== null,
    vanished: () => {
      const { open, nowOpen } = vanished.current() ?? { open: 0, nowOpen: 0 };
      return open - nowOpen;
    },
    undelivered: () => alerts.state().undelivered,
    defects: defects.count,
    personNeeded: () => ({
      drain: receipts.unfinished() !== undefined || receipts.worrying() !== undefined,
      vanished_positions: vanished.current() !== null,
      restarts: guard.capped(),
    }),
  });
  const leaseCall = createLeaseCall({ leases, guard, drainer, receipts, hold });
  const app = createApp({
    guard,
    drainer,
    receipts,
    registry,
    leases,
    leaseCall,
    hold,
    vanished,
    keepLooked: looked.save,
    clock,
    drainToken: config.drain.token,
    log,
  });
  const keeper = createHoldKeeper({ hold, drainer, log, clock });
  monitor.on('run', ({ name }) => {
    if (name !== 'api') return;
    const { instance, trading } = selfOf(monitor.snapshot());
    const boot = leases.holder() ?? instance;
    if (boot !== null || trading !== null) keeper.look({ boot, trading });
  });
  const server = createServer(app);
  const problem = await listen(server, config);

  // From here to the end of this function nothing waits: no signal can fall between the recorder and terminus.
  const early = host.takeSignals();
  const ending = Promise.withResolvers<Receipt>();
  let stoppedAt = early[0]?.at;
  let code: 0 | 3 | undefined;
  void ending.promise.then(({ state }) => {
    code = exitCodeOf(state === 'started' ? 'abandoned' : state);
  });
  /** What is left of the budget, in milliseconds, less what the exit itself takes. */
  const budgetLeft = (): number =>
    Math.max(0, (stoppedAt ?? clock.elapsed()) + config.drain.timeoutMs - LAST_MS - clock.elapsed());
  const end = async (exitCode: number): Promise<never> => {
    await log.flush(Math.min(LOG_MS, budgetLeft()));
    return host.exit(exitCode);
  };
  const leave = async (): Promise<never> => {
    await ending.promise;
    // Good news does not hold up a stop for long when nobody takes it.
    const patience = code === 0 ? GOOD_NEWS_MS : RESERVE_MS;
    await alerts.flush(Math.min(patience, budgetLeft()));
    return end(code ?? 3);
  };
  const stop = (signal: StopSignal): void => {
    stoppedAt ??= clock.elapsed();
    void drainer.drain(signal, { startedAt: stoppedAt }).then(ending.resolve);
  };
  const quit = async (): Promise<void> => {
    if (drainer.current() === null) stop('SIGTERM');
    const abandoned = await drainer.abandon('SIGQUIT: given up without closing, positions may be open');
    if (abandoned !== null) ending.resolve(abandoned);
    await ending.promise;
    await alerts.flush(EXIT_MS);
    await end(code ?? 3);
  };
  host.onSignal('SIGTERM', () => stop('SIGTERM'));
  host.onSignal('SIGINT', () => stop('SIGINT'));
  host.onSignal('SIGQUIT', () => void quit());
  host.onUncaught((error) => {
    defects.tell('that nothing caught', error);
    // Money first: a drain that runs is not ended by it, and what became of one that has ended is still told.
    if (drainer.current() === null) void alerts.flush(EXIT_MS).finally(() => end(code ?? 1));
  });
  if (problem !== null) {
    log.error({ event: 'listen.failed' }, problem);
    if (early.length === 0) return end(1);
  } else {
    createTerminus(server, {
      signals: ['SIGTERM', 'SIGINT'],
      timeout: EXIT_MS / 2,
      // Here and not in onSignal, where the listener is closed: it answers as long as positions are being closed.
      beforeShutdown: async () => {
        const { drain_id } = await ending.promise;
        await leaseCall.told(drain_id, Math.min(TELL_GATE_MS, budgetLeft() - EXIT_MS));
      },
      onShutdown: leave,
      logger: (message, error) => log.error({ event: 'shutdown.failed', err: error }, message),
    });
    monitor.start();
    openNow.monitor.start();
    const port = portOf(server, config.port);
    log.info(
      { event: 'listening', host: config.host, port },
      `Watching the bot at ${withoutCredentials(config.bot.url)}; answering on port ${port}.`,
    );
  }
  sayUnfinished(receipts.unfinished(), log, alert);

  for (const { signal } of early) {
    if (signal === 'SIGQUIT') void quit();
    else host.raise(signal);
  }
  return problem === null ? 0 : leave();
}

/** Not on the schedule of the probes: it asks the bot to think about closing, once a minute. */
function closePathProbe(bot: Bot, timeoutMs: number, spares: () => boolean): MonitoredProbe {
  const rehearse = createRehearsal(bot);
  return {
    probe: probe('close-path', async (signal) => {
      if (spares()) return { status: 'warn', output: 'not rehearsed: a drain runs' };
      const { rehearsed, open, pending, note } = await rehearse(signal).catch((error: unknown) => {
        throw explain(error, { adapter: bot.adapter, path: 'BOT_CLOSE_PATH' });
      });
      if (note !== null) return { status: 'warn', output: `not rehearsed: ${note}` };
      return { details: { rehearsed, would_close: { open_positions: open, pending_orders: pending } } };
    }),
    critical: false,
    interval: REHEARSE_EVERY_MS,
    timeout: timeoutMs,
    failureThreshold: 1,
  };
}

function sayUnfinished(unfinished: Receipt | undefined, log: Log, alert: (alert: Alert) => void): void {
  if (unfinished === undefined) return;
  const { sentence } = decideOnReturn({
    unfinished,
    receipts: [],
    instance: null,
    boot: null,
    trading: null,
    onHold: false,
  }) as { sentence: string };
  log.error({ event: 'return.unfinished', drain_id: unfinished.drain_id }, sentence);
  alert({ key: 'return.unfinished', event: 'return.unfinished', severity: 'critical', text: sentence });
}
