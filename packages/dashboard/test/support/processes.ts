import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Waits until `look` gives something other than undefined or false, and gives that; throws after `ms`. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  ms = 20_000,
): Promise<Exclude<Awaited<T>, undefined | false>> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Exclude<Awaited<T>, undefined | false>;
    if (performance.now() > end) throw new Error(`expected within ${ms} ms: ${what}`);
    await delay(25);
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A process that a test started, and what it said. */
export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  /** Standard output and error, as far as they came. */
  readonly output: () => string;
  /** The exit code; null after a signal. */
  readonly exited: Promise<number | null>;
  /** Ends it by force, if it still runs. */
  readonly end: () => Promise<void>;
}

async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<Running> {
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  await until(
    `${args.join(' ')} listens or ends`,
    () => text.includes('"listening"') || child.exitCode !== null,
  );
  return {
    child,
    url: `http://127.0.0.1:${env.PORT}`,
    output: () => text,
    exited,
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The dashboard, as it runs in production: the program itself, configured by its environment. */
export async function startDashboard(env: Readonly<Record<string, string>>): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  return run(
    process.execPath,
    [join(ROOT, 'packages/dashboard/src/main.ts')],
    { PORT: port, PROBE_INTERVAL: '300ms', PROBE_TIMEOUT: '250ms', ...env },
    ROOT,
  );
}

/** A real sidecar. */
export async function startSidecar(env: Readonly<Record<string, string>>): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-sidecar-'));
  const running = await run(
    process.execPath,
    [join(ROOT, 'packages/sidecar/src/main.ts')],
    {
      HOST: '127.0.0.1',
      PORT: port,
      DRAIN_LOG: join(folder, 'drains.jsonl'),
      PROBE_INTERVAL: '300ms',
      PROBE_TIMEOUT: '250ms',
      ...env,
    },
    ROOT,
  );
  void running.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  return running;
}

/** The reference bot, with its switches allowed. */
export async function startBot(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  return run(
    'python3',
    ['-m', 'bot'],
    {
      HOST: '127.0.0.1',
      PORT: port,
      BOT_TICK_INTERVAL: '0.1',
      ALLOW_MISBEHAVIOUR: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      ...env,
    },
    join(ROOT, 'docker/bot'),
  );
}

/** Makes the reference bot misbehave; `none` makes it behave again. */
export async function misbehave(bot: Running, mode: string, seconds?: number): Promise<void> {
  const response = await fetch(`${bot.url}/misbehave`, {
    method: 'POST',
    body: JSON.stringify(seconds === undefined ? { mode } : { mode, seconds }),
  });
  if (!response.ok)
    throw new Error(`the bot refused to ${mode}: ${response.status} ${await response.text()}`);
}
