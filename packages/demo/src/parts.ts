import { fileURLToPath } from 'node:url';
import { parse } from './log-file.ts';
import type { Command } from './processes.ts';
import { botFolder, type Python } from './python.ts';
import { COUNT_OPEN, type Tables } from './tables.ts';

/** A process that the demo brings up. */
export interface Part extends Command {
  /** Where it answers, to be shown. */
  readonly where: string;
  /** Whether it is up; asked again and again. A rejection means not yet. */
  readonly ready: () => Promise<boolean>;
  /** Once it was up, it is started again when it ends, as Docker's restart policy does. */
  readonly restarts: boolean;
  /** It closes what is open when it is told to end. */
  readonly closes: boolean;
  /** What to show of a line of its log; null: nothing. */
  readonly tell: (line: string) => string | null;
}

/** What the parts are made from. */
export interface PartsOptions {
  readonly folder: string;
  /** The variables of the machine that every process gets. */
  readonly env: Readonly<Record<string, string>>;
  readonly python: Python;
  readonly ports: {
    readonly postgres: number;
    readonly bot: number;
    readonly sidecar: number;
    readonly dashboard: number;
  };
  readonly secrets: { readonly database: string; readonly bot: string; readonly drain: string };
  readonly tables: Tables;
}

/** The addresses of the parts. */
export interface Urls {
  readonly database: string;
  readonly bot: string;
  readonly sidecar: string;
  readonly dashboard: string;
}

/** Where the parts of these options answer. */
export function urlsOf({ ports, secrets }: Pick<PartsOptions, 'ports' | 'secrets'>): Urls {
  return {
    database: `postgresql://demo:${secrets.database}@127.0.0.1:${ports.postgres}/postgres`,
    bot: `http://127.0.0.1:${ports.bot}`,
    sidecar: `http://127.0.0.1:${ports.sidecar}`,
    dashboard: `http://127.0.0.1:${ports.dashboard}`,
  };
}

/** The whole budget of a drain in the demo. */
const DRAIN_SECONDS = 15;
const GATE_SECONDS = 5;
const KILL_SECONDS = 2;
/** Until a part that is past its own deadlines is killed, in milliseconds. */
const SPARE_MS = 5_000;

/** Everything that runs, in the order in which it is started. It is stopped in the opposite order. */
export function createParts(options: PartsOptions): readonly Part[] {
  const { folder, env, python, ports, secrets, tables } = options;
  const urls = urlsOf(options);
  const gate = here('../../python/src/botwarden/gate.py');
  return [
    {
      name: 'postgres',
      command: process.execPath,
      args: [here('./programs/postgres.ts')],
      env: { ...env, DEMO_FOLDER: folder, PGPORT: String(ports.postgres), PGPASSWORD: secrets.database },
      cwd: '/',
      where: `127.0.0.1:${ports.postgres}`,
      ready: async () => (await tables.read()) !== null,
      restarts: false,
      closes: false,
      graceMs: 10_000,
      tell: () => null,
    },
    {
      name: 'bot',
      command: python.command,
      // The gate takes nothing from the environment of Python's own, and the bot does.
      args: ['-IS', gate, python.command, '-m', 'bot'],
      env: {
        ...env,
        ...python.env,
        PYTHONDONTWRITEBYTECODE: '1',
        HOST: '127.0.0.1',
        PORT: String(ports.bot),
        DATABASE_URL: urls.database,
        BOT_TOKEN: secrets.bot,
        ALLOW_MISBEHAVIOUR: '1',
        SIDECAR_URL: urls.sidecar,
        BOT_URL: urls.bot,
        DRAIN_TOKEN: secrets.drain,
        GATE_TIMEOUT: `${GATE_SECONDS}s`,
        KILL_AFTER: `${KILL_SECONDS}s`,
      },
      cwd: botFolder,
      where: urls.bot,
      ready: async () => (await ask(`${urls.bot}/health`)).ok,
      restarts: true,
      closes: true,
      graceMs: (GATE_SECONDS + KILL_SECONDS) * 1_000 + SPARE_MS,
      tell: tellBot,
    },
    {
      name: 'sidecar',
      command: process.execPath,
      args: [here('../../sidecar/src/main.ts')],
      env: {
        ...env,
        HOST: '127.0.0.1',
        PORT: String(ports.sidecar),
        BOT_URL: urls.bot,
        BOT_TOKEN: secrets.bot,
        EXPECTED_MODELS: 'signal',
        DATABASE_URL: urls.database,
        FLAT_CHECK_SQL: COUNT_OPEN,
        DRAIN_TOKEN: secrets.drain,
        DRAIN_LOG: receiptsIn(folder),
        DRAIN_TIMEOUT: `${DRAIN_SECONDS}s`,
        // Quicker than in production, for someone who watches.
        CLOSE_TIMEOUT: '5s',
        PROBE_INTERVAL: '1s',
        PROBE_TIMEOUT: '1s',
        TICK_MAX_AGE: '10s',
        STARTUP_GRACE: '30s',
        HEAL_COOLDOWN: '10s',
      },
      cwd: '/',
      where: urls.sidecar,
      ready: async () => (await ask(`${urls.sidecar}/readyz`)).ok,
      restarts: false,
      closes: true,
      graceMs: DRAIN_SECONDS * 1_000 + SPARE_MS,
      tell: (line) => parse(line)?.message ?? line,
    },
    {
      name: 'dashboard',
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', here('../../dashboard/src/main.ts')],
      env: {
        ...env,
        HOST: '127.0.0.1',
        PORT: String(ports.dashboard),
        SIDECARS: `demo=${urls.sidecar}`,
        DATABASE_URL: urls.database,
        DRAIN_TOKEN: secrets.drain,
        PROBE_INTERVAL: '1s',
        PROBE_TIMEOUT: '1s',
      },
      cwd: '/',
      where: urls.dashboard,
      ready: async () => (await ask(`${urls.dashboard}/readyz`)).ok,
      restarts: false,
      closes: false,
      graceMs: SPARE_MS,
      tell: (line) => (parse(line)?.level === 'error' ? (parse(line)?.message ?? line) : null),
    },
  ];
}

/** Where the sidecar of the demo keeps its receipts. */
export const receiptsIn = (folder: string): string => `${folder}/drains.jsonl`;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** One call, which may take a second. */
export const ask = (url: string): Promise<Response> => fetch(url, { signal: AbortSignal.timeout(1_000) });

// Its trades are on the screen anyway, as positions and orders: only what a drain closes, and faults, are news.
function tellBot(line: string): string | null {
  if (line.startsWith('hold-until-flat: ')) return line.replace('hold-until-flat', 'gate');
  const said = parse(line);
  if (said === undefined) return null;
  const drained = typeof said.reason === 'string' && said.reason.startsWith('close-positions');
  return drained || said.level !== 'info' || said.event === 'book_loaded' ? said.message : null;
}
