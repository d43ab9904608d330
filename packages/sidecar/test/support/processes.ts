import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = new URL('../../../../', import.meta.url).pathname;
/** The program. */
export const MAIN = join(ROOT, 'packages/sidecar/src/main.ts');

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

/** Starts a program with no more of this environment than its PATH. */
export function run(
  command: string,
  args: string[],
  env: Record<string, string>,
  cwd: string,
  url: string,
): Running {
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return {
    child,
    url,
    output: () => text,
    exited,
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

/** The sidecar, as it runs in production: the program itself, configured by its environment. */
export async function startSidecar(env: Record<string, string>): Promise<Running & { receipts: string }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-sidecar-'));
  const receipts = env.DRAIN_LOG ?? join(folder, 'drains.jsonl');
  const running = run(
    process.execPath,
    [MAIN],
    { HOST: '127.0.0.1', PORT: String(port), DRAIN_LOG: receipts, ...env },
    ROOT,
    `http://127.0.0.1:${port}`,
  );
  void running.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  await until(
    'the sidecar listens or ends',
    () => running.output().includes('"listening"') || running.child.exitCode !== null,
  );
  return { ...running, receipts };
}

/** The reference bot, with its switches allowed. */
export async function startBot(env: Record<string, string> = {}): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  const running = run(
    'python3',
    ['-m', 'bot'],
    { HOST: '127.0.0.1', PORT: port, BOT_TICK_INTERVAL: '0.1', ALLOW_MISBEHAVIOUR: '1', ...env },
    join(ROOT, 'docker/bot'),
    `http://127.0.0.1:${port}`,
  );
  await until(
    'the bot listens',
    () => running.output().includes('"listening"') || running.child.exitCode !== null,
  );
  return running;
}

/** Makes the reference bot misbehave. */
export async function misbehave(bot: Running, mode: string): Promise<void> {
  const response = await fetch(`${bot.url}/misbehave`, { method: 'POST', body: JSON.stringify({ mode }) });
  if (!response.ok)
    throw new Error(`the bot refused to ${mode}: ${response.status} ${await response.text()}`);
}

/** The status and the parsed body of a GET. */
export async function get(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
