import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Waits until `look` gives something other than undefined or false, and gives that; throws after `ms` milliseconds. */
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

/** How to start a process. */
export interface StartOptions {
  readonly cwd: string;
  /** The whole environment, beside the PATH of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Where it will answer. */
  readonly url: string;
}

/** Starts a program with no more of this environment than its PATH. */
export function start(command: string, args: readonly string[], { cwd, env, url }: StartOptions): Running {
  const child = spawn(command, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
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

/** Waits until a process says that it listens, or has ended. */
export async function listening(running: Running): Promise<void> {
  await until(
    `${running.child.spawnargs.join(' ')} listens or ends`,
    () => running.output().includes('"listening"') || running.child.exitCode !== null,
  );
}
