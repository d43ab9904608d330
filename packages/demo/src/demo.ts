import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DemoError } from './failure.ts';
import { frame } from './frame.ts';
import { createParts, type Part, receiptsIn, type Urls, urlsOf } from './parts.ts';
import { freePorts, isFree } from './ports.ts';
import { preparePython } from './prepare-python.ts';
import { type Exit, inWords } from './processes.ts';
import { type Reaper, startReaper } from './reaper.ts';
import type { Screen } from './screen.ts';
import { aborted, createStack, type Stack } from './stack.ts';
import type { StopRequest } from './stop-request.ts';
import { type Book, COUNT_OPEN, counted, described, openTables, type Tables } from './tables.ts';
import { type Ending, exitCode, meaning } from './verdict.ts';
import { type Seen, UNSEEN, watch } from './watch.ts';

/** What the demo needs from outside. */
export interface DemoOptions {
  /** The sidecar's port. */
  readonly port: number;
  readonly env: NodeJS.ProcessEnv;
  readonly screen: Screen;
  readonly stop: StopRequest;
  /** Of the demo itself, to be shown. */
  readonly pid: number;
}

/** Where the dashboard answers, if nothing else does: another port will do as well, since only a person needs it. */
const DASHBOARD_PORT = 9500;

/** What the parts get of the environment; whatever else is set there must not reach into them. */
const INHERITED = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG', 'LC_ALL', 'TZ', 'LD_LIBRARY_PATH'] as const;

/**
 * Brings everything up, shows it until a stop is asked for, and takes it down, the sidecar first. Resolves with the
 * exit code.
 *
 * @throws {DemoError} when nothing could be started, or something is left behind.
 */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { port, screen, stop } = options;
  if (!(await isFree(port))) {
    throw new DemoError(
      'PORT_TAKEN',
      `Port ${port} of 127.0.0.1, for the sidecar, is already taken: stop what listens there, or set DEMO_PORT to another one.`,
    );
  }
  const reaper = await startReaper();
  let code = 1;
  let failure: unknown;
  try {
    code = await inFolder(options, reaper);
  } catch (error) {
    // What a stop broke off did not fail.
    if (!stop.signal.aborted) failure = error;
  }
  await reaper.finish();
  if (failure !== undefined) throw failure;
  screen.say(`No process, no port and no temporary folder is left. Exit code ${code}.`);
  return code;
}

/** Everything between the making of the temporary folder and its removal. */
async function inFolder({ port, env, screen, stop, pid }: DemoOptions, reaper: Reaper): Promise<number> {
  const { signal } = stop;
  screen.say('Looking for Python and the bot’s Postgres driver; a driver that is missing is installed once.');
  const python = await preparePython(reaper, env, signal);
  const [postgres = 0, bot = 0, other = 0] = await freePorts(3);
  const dashboard = (await isFree(DASHBOARD_PORT)) ? DASHBOARD_PORT : other;
  const ports = { postgres, bot, sidecar: port, dashboard };
  const secrets = { database: secret(), bot: secret(), drain: secret() };
  const urls = urlsOf({ ports, secrets });
  const tables = openTables(urls.database);
  const inherited = INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]));
  const parts = createParts({
    folder: reaper.folder,
    env: { ...Object.fromEntries(inherited), TMPDIR: reaper.folder },
    python,
    ports,
    secrets,
    tables,
  });
  const stack = createStack(parts, { folder: reaper.folder, reaperPipe: reaper.pipe, say: screen.say });

  let doing = 'starting';
  let seen: Seen = UNSEEN;
  const show = (): void => {
    const started = stack.started().map(({ part, state }) => ({ ...part, state: state() }));
    screen.show((window) => frame({ doing, parts: started, seen, hint: HINTS[doing] ?? '' }, window));
  };
  const unwatch = watch(urls, tables, (next) => {
    seen = next;
    show();
  });
  stop.onAgain((why) => {
    const last = stack.started().findLast(({ state }) => state() !== 'ended');
    screen.say(
      `${why}: already stopping, and nothing changes. The ${last?.part.name ?? 'demo'} is being ended.`,
    );
  });

  let failure: unknown;
  try {
    await stack.bringUp(signal);
    const book = await Promise.race([untilOpen(tables, signal), stack.failed(), aborted(signal)]);
    doing = 'ready';
    screen.say(`Ready: the bot holds ${counted(book)}, and ${urls.sidecar}/readyz says 200.`);
    screen.print(instructions(urls, secrets.drain, pid));
    show();
    await Promise.race([stack.failed(), aborted(signal)]);
  } catch (error) {
    if (!signal.aborted) failure = error;
  }
  doing = 'stopping';
  if (signal.aborted)
    screen.say(`${signal.reason}: stopping, the sidecar first, as long as the bot can still close.`);
  else screen.say('Something failed: stopping.');
  show();
  const ending = await takeDown(stack, tables, reaper.folder, screen);
  unwatch();
  screen.clear();
  await tables.close();
  if (failure !== undefined && exitCode({ ...ending, failed: true }) !== 3) throw failure;
  if (failure !== undefined) screen.say(failure instanceof Error ? failure.message : String(failure));
  return exitCode({ ...ending, failed: failure !== undefined });
}

const HINTS: Readonly<Record<string, string>> = {
  starting: 'Ctrl-C stops it.',
  ready: 'Ctrl-C closes every position, and stops it.',
  stopping: 'One moment: positions are being closed.',
};

/** Waits until there is something that a stop must not leave behind. */
async function untilOpen(tables: Tables, signal: AbortSignal): Promise<Book> {
  for (;;) {
    signal.throwIfAborted();
    const book = await tables.read();
    if (book.positions.length > 0 && book.orders.length > 0) return book;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ends the parts, and shows what each of them left. */
async function takeDown(
  stack: Stack,
  tables: Tables,
  folder: string,
  screen: Screen,
): Promise<Omit<Ending, 'failed'>> {
  let sidecar: Exit | null = null;
  let book: Book | null = null;
  let asked = false;
  await stack.takeDown(async (part: Part, exit) => {
    const ended = exit === null ? 'It cannot be ended' : `Ended with ${inWords(exit)}`;
    if (part.name === 'sidecar') {
      sidecar = exit;
      await showReceipt(folder, screen);
    }
    screen.say(
      exit !== null && part.name === 'sidecar' ? `${ended}: ${meaning(exit)}.` : `${ended}.`,
      part.name,
    );
    if (!part.closes || asked) return;
    asked = true;
    book = await tables.read().catch(() => null);
    screen.say(book === null ? 'The tables of the bot cannot be read.' : `${COUNT_OPEN};`, 'postgres');
    if (book === null) return;
    screen.say(`${counted(book)}.`, 'postgres');
    for (const row of [...book.positions, ...book.orders])
      screen.say(`STILL OPEN: ${described(row)}`, 'postgres');
  });
  return { sidecar, book };
}

async function showReceipt(folder: string, screen: Screen): Promise<void> {
  const log = await readFile(receiptsIn(folder), 'utf8').catch(() => '');
  const receipt = log.trim().split('\n').at(-1);
  if (receipt) screen.print(['The receipt:', ...JSON.stringify(JSON.parse(receipt), null, 2).split('\n')]);
  else screen.say('There is no receipt.');
}

function instructions({ sidecar, bot, dashboard }: Urls, drainToken: string, pid: number): string[] {
  const misbehave = (mode: string): string => `  curl -s -d '{"mode":"${mode}"}' ${bot}/misbehave`;
  return [
    '',
    `Look at it in a browser: ${dashboard}`,
    'or from another terminal:',
    `  curl -fsS --max-time 3 ${sidecar}/readyz`,
    `  curl -s ${sidecar}/healthz`,
    `  curl -s ${sidecar}/metrics`,
    `Close everything, and leave the bot halted (with "Drain now" in the browser, its token is ${drainToken}):`,
    `  curl -s -X POST -H 'Authorization: Bearer ${drainToken}' ${sidecar}/drain`,
    'Make the bot hang, or lose its model; after some seconds /livez says 503, and the gate restarts it:',
    misbehave('hang'),
    misbehave('unload-model'),
    'Make it unable to close; then stop the demo, which ends with exit code 3:',
    misbehave('fail-close'),
    `Stop it with Ctrl-C, or from elsewhere with: kill ${pid}`,
    '',
  ];
}

const secret = (): string => randomBytes(18).toString('base64url');
