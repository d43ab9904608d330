import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { ConfigError } from '@botwarden/service/configuration';
import { listen, portOf } from '@botwarden/service/listen';
import { createLog, type Log } from '@botwarden/service/log';
import type { Account } from '../account/account.ts';
import { createCcxtAccount } from '../account/ccxt-account.ts';
import { createReader } from '../account/reader.ts';
import { TESTED_EXCHANGES } from '../account/ways.ts';
import { createCloser } from '../close/closer.ts';
import { type Config, loadConfig } from '../config/config.ts';
import type { Host } from '../host.ts';
import { createApp } from '../http/app.ts';
import { createDeadMansSwitch } from '../switch/dead-mans-switch.ts';
import { VERSION } from '../version.ts';
import { createWatch } from '../watch.ts';

/** Serves until a signal. Gives the exit code when it cannot. */
export async function serve(host: Host): Promise<number> {
  let config: Config;
  let account: Account;
  try {
    config = loadConfig(host.env);
    account = await accountOf(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`botwarden-exchange: ${error.message}\n`);
    return 2;
  }
  const { id, markets, symbols, sandbox, token, secrets } = config;
  const log = createLog({ service: 'botwarden-exchange', version: VERSION, level: config.logLevel, secrets });
  const reader = createReader(account);
  const watch = createWatch({
    account,
    reader,
    intervalMs: config.checkIntervalMs,
    timeoutMs: config.timeoutMs,
    log,
  });
  const closer = createCloser({ account, reader, symbols, rights: watch.rights, log });
  const scope = {
    id,
    sandbox: sandbox ?? (config.url === undefined ? false : 'another address'),
    markets,
    symbols: symbols === null ? null : [...symbols],
  };
  const app = createApp({
    account,
    reader,
    closer,
    watch,
    symbols,
    token,
    instance: randomUUID(),
    scope,
    log,
  });
  const server = createServer(app);
  const problem = await listen(server, config);
  if (problem !== null) {
    log.error({ event: 'listen.failed' }, problem);
    return 1;
  }

  const stopping = new AbortController();
  host.onStop(() => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    log.info(
      { event: 'stopping', closing: closer.busy() },
      closer.busy() ? 'Stopping, when the close that is under way has ended.' : 'Stopping.',
    );
    void closer.idle().then(() => {
      server.close();
      // What was asked before is answered first, for a moment.
      setTimeout(() => host.exit(0), 100);
    });
  });
  sayWhat(config, portOf(server, config.port), log);
  const end = (error: unknown): void => {
    log.error({ event: 'defect', err: error }, 'A defect; this program ends, so that it is seen.');
    host.exit(1);
  };
  watch.run(stopping.signal).catch(end);
  if (config.cancelAfter !== null) {
    createDeadMansSwitch({ account, ...config.cancelAfter, log })
      .run(stopping.signal)
      .catch(end);
  }
  return 0;
}

async function accountOf(config: Config): Promise<Account> {
  try {
    return await createCcxtAccount(config);
  } catch (error) {
    if (config.sandbox === null) throw error;
    // The one thing that ccxt refuses while it is made.
    throw new ConfigError([
      {
        name: 'EXCHANGE_SANDBOX',
        expected: `another value, as ccxt has no such place for ${config.id}`,
        got: config.sandbox,
      },
    ]);
  }
}

function sayWhat({ id, markets, symbols, sandbox, url, host }: Config, port: number, log: Log): void {
  const where =
    sandbox === null
      ? url === undefined
        ? 'with real money'
        : `at ${new URL(url).host}`
      : `on its ${sandbox}`;
  const what = symbols === null ? 'every symbol' : [...symbols].join(', ');
  log.info(
    {
      event: 'listening',
      host,
      port,
      exchange: id,
      markets,
      symbols: symbols === null ? null : [...symbols],
    },
    `Looking at ${id} ${where}: ${markets.join(', ')}, ${what}. A close cancels every order of these, and closes what is open in them.`,
  );
  if (!TESTED_EXCHANGES.includes(id)) {
    log.warn(
      { event: 'exchange.untested', exchange: id },
      `${id} was never tried with this program: whether it sees every position and order there nobody knows.`,
    );
  }
}
