import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type Running, start as startProcess, until } from '@botwarden/service/testing';
import { freqtradePython } from './install.ts';
import { type Ledger, readLedger } from './ledger.ts';

const HERE = new URL('.', import.meta.url).pathname;

/** The gate, as it may be copied into an image: one file. */
const GATE = new URL('../../../../python/src/botwarden/gate.py', import.meta.url).pathname;

/** Who may ask. */
export const USERNAME = 'freqtrader';
export const PASSWORD = 'SuperSecret1!';

/** What the exchange and the strategy do; see `exchange/sitecustomize.py` and `strategies/scripted.py`. */
export interface Script {
  readonly delay_ms?: number;
  readonly down?: boolean;
  readonly breaks?: boolean;
  readonly prices?: Readonly<Record<string, number>>;
  readonly orders?: Readonly<
    Record<string, { takes_ms?: number; refused?: string; fills_after_ms?: number | null }>
  >;
  readonly enter?: readonly string[];
  readonly leave?: readonly string[];
  readonly hangs?:
    | 'fetch_tickers'
    | 'bot_loop_start'
    | 'populate_indicators'
    | 'confirm_trade_entry'
    | 'confirm_trade_exit'
    | 'nothing';
  readonly refuses_exit?: readonly string[];
  readonly order_types?: Readonly<Record<string, unknown>>;
  readonly entry_price?: number;
  readonly exit_price?: number;
  readonly adjust?: number;
  readonly timeframe?: string;
  readonly waves?: boolean;
}

/** How freqtrade is configured where the tests differ. */
export interface Settings {
  readonly script?: Script;
  /** `process_throttle_secs`. Default 1. */
  readonly throttle?: number;
  /** `initial_state`. Default `running`; null: not configured. */
  readonly initialState?: 'running' | 'stopped' | 'paused' | null;
  /** `max_open_trades`. Default 4. */
  readonly maxOpenTrades?: number;
  /** Trades with the strategy that learns, for two pairs. Default false. */
  readonly freqai?: boolean;
  /** Runs it under the gate, with this environment. Default: without. */
  readonly gate?: Readonly<Record<string, string>>;
}

/** A freqtrade that a test started: the real program, in a folder of its own. */
export interface Freqtrade {
  readonly url: string;
  readonly output: () => string;
  /** Changes what exchange and strategy do, from now on. */
  readonly play: (change: Script) => void;
  /** A call of its API, with the right password. */
  readonly call: (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;
  /** Its tables, read past it. */
  readonly ledger: () => Ledger;
  /** Waits until so many trades are open and filled. */
  readonly opened: (count: number) => Promise<void>;
  /** Waits until it has said something. */
  readonly said: (text: string) => Promise<void>;
  /** Waits until its worker has ended so many iterations more. */
  readonly iterated: (count: number) => Promise<void>;
  /** Waits until its worker has ended no iteration for two seconds. */
  readonly stalled: () => Promise<void>;
  /** Resolves when its API answers. */
  readonly answers: () => Promise<void>;
  /** SIGTERM; gives the exit code, null after a signal. */
  readonly terminate: () => Promise<number | null>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Starts it anew, with the same files, configured as before or as told. */
  readonly start: (settings?: Settings) => Promise<void>;
  /** Stops and continues the process (SIGSTOP, SIGCONT). */
  readonly suspend: () => void;
  readonly resume: () => void;
  readonly end: () => Promise<void>;
}

/** Starts freqtrade. It has not begun to trade yet when this resolves, and may not answer. */
export async function startFreqtrade(settings: Settings = {}): Promise<Freqtrade> {
  const python = await freqtradePython();
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-freqtrade-'));
  const file = (name: string): string => join(folder, name);
  const url = `http://127.0.0.1:${port}`;
  let script: Script = settings.script ?? {};
  let program: Running;
  const play = (change: Script): void => {
    script = { ...script, ...change };
    writeFileSync(file('script.json'), JSON.stringify(script));
  };
  play({});

  const start = async (changed: Settings = {}): Promise<void> => {
    writeFileSync(file('config.json'), JSON.stringify(configuration(port, { ...settings, ...changed })));
    const told = [
      '--config',
      file('config.json'),
      '--userdir',
      folder,
      '--db-url',
      `sqlite:///${file('trades.sqlite')}`,
    ];
    const learning = [
      '--strategy',
      'Learning',
      '--freqaimodel',
      'Straight',
      '--freqaimodel-path',
      join(HERE, 'models'),
    ];
    const strategy = [
      '--strategy-path',
      join(HERE, 'strategies'),
      ...(settings.freqai === true ? learning : ['--strategy', 'Scripted']),
    ];
    const command = [python, '-m', 'freqtrade', 'trade', ...told, ...strategy];
    const [first = '', ...rest] = settings.gate === undefined ? command : [python, GATE, ...command];
    program = startProcess(first, rest, {
      cwd: folder,
      env: {
        ...(settings.gate === undefined ? {} : gateEnvironment(url, settings.gate)),
        PYTHONPATH: [join(HERE, 'exchange'), join(HERE, 'stand-ins')].join(':'),
        PYTHONDONTWRITEBYTECODE: '1',
        HOME: folder,
        EXCHANGE_SCRIPT: file('script.json'),
      },
      url,
    });
  };
  await start();

  const call: Freqtrade['call'] = async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64')}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text,
    };
  };
  /** As {@link until}, and with what freqtrade said last where that does not come. */
  const waitUntil = (what: string, look: () => boolean | Promise<boolean>): Promise<true> =>
    until(what, look, 90_000).catch((error: Error) => {
      throw new Error(`${error.message}; freqtrade said: ${program.output().slice(-2_000)}`);
    });
  const processed = async (): Promise<string | null> =>
    ((await call('GET', '/health')).body as { last_process: string | null }).last_process;
  const ledger = (): Ledger => readLedger(file('trades.sqlite'));

  return {
    url,
    output: () => program.output(),
    play,
    call,
    ledger,
    async opened(count) {
      await waitUntil(`${count} open trades`, () => {
        const { trades, orders } = ledger();
        return trades.filter(({ open }) => open).length === count && orders.every(({ open }) => !open);
      });
    },
    async said(text) {
      await waitUntil(`freqtrade says ${text}`, () => program.output().replace(/\s+/g, ' ').includes(text));
    },
    async stalled() {
      let last: { at: number; processed: string | null } | null = null;
      await waitUntil('an iteration that does not end', async () => {
        const seen = await processed();
        if (last === null || last.processed !== seen) last = { at: performance.now(), processed: seen };
        return performance.now() - last.at > 2_000;
      });
    },
    async iterated(count) {
      const seen = new Set([await processed()]);
      await waitUntil(`${count} iterations more`, async () => seen.add(await processed()).size > count);
    },
    async answers() {
      await waitUntil(
        'freqtrade answers',
        async () => (await call('GET', '/ping').catch(() => null))?.status === 200,
      );
    },
    terminate() {
      program.child.kill('SIGTERM');
      return program.exited;
    },
    kill: () => program.end(),
    start,
    suspend: () => void program.child.kill('SIGSTOP'),
    resume: () => void program.child.kill('SIGCONT'),
    async end() {
      await program.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What the gate is told. It finds no sidecar, unless it is told where one is. */
function gateEnvironment(url: string, env: Readonly<Record<string, string>>): Record<string, string> {
  return {
    SIDECAR_URL: 'http://127.0.0.1:1',
    BOT_ADAPTER: 'freqtrade',
    BOT_URL: url,
    BOT_USERNAME: USERNAME,
    BOT_PASSWORD: PASSWORD,
    GATE_TIMEOUT: '40s',
    ...env,
  };
}

function configuration(port: number, settings: Settings): unknown {
  const { throttle = 1, initialState = 'running', maxOpenTrades = 4 } = settings;
  const pricing = { price_side: 'other', use_order_book: false, order_book_top: 1 };
  return {
    max_open_trades: maxOpenTrades,
    stake_currency: 'USDT',
    stake_amount: 100,
    dry_run: true,
    // An account that holds some of each coin anyway: freqtrade then has enough to sell a trade twice.
    dry_run_wallet: { USDT: 10_000, BTC: 10, ETH: 10, SOL: 10, XRP: 10, ADA: 10, DOT: 10 },
    trading_mode: 'spot',
    unfilledtimeout: { entry: 10, exit: 10, exit_timeout_count: 0, unit: 'minutes' },
    entry_pricing: { ...pricing, price_last_balance: 0 },
    exit_pricing: pricing,
    exchange: {
      name: 'binance',
      key: '',
      secret: '',
      enable_ws: false,
      pair_whitelist: settings.freqai === true ? PAIRS.slice(0, 2) : PAIRS,
    },
    // The filter asks the exchange, so that a start takes as long as that.
    pairlists: [{ method: 'StaticPairList' }, { method: 'PriceFilter', min_price: 0.01 }],
    api_server: {
      enabled: true,
      listen_ip_address: '127.0.0.1',
      listen_port: port,
      username: USERNAME,
      password: PASSWORD,
      jwt_secret_key: 'a key of the tests, which nobody else has',
      verbosity: 'error',
    },
    ...(initialState === null ? {} : { initial_state: initialState }),
    internals: { process_throttle_secs: throttle },
    ...(settings.freqai === true ? { freqai: FREQAI } : {}),
  };
}

const PAIRS = ['BTC/USDT', 'ETH/USDT', 'SOL/USDT', 'XRP/USDT', 'ADA/USDT', 'DOT/USDT'];

const FREQAI = {
  enabled: true,
  identifier: 'tests',
  purge_old_models: 2,
  train_period_days: 2,
  backtest_period_days: 1,
  live_retrain_hours: 24,
  feature_parameters: {
    include_timeframes: ['5m'],
    include_corr_pairlist: [],
    label_period_candles: 3,
    include_shifted_candles: 1,
    indicator_periods_candles: [5],
  },
  data_split_parameters: { test_size: 0.1, shuffle: false },
  model_training_parameters: {},
};
