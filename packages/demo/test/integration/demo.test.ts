import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = new URL('../../../../', import.meta.url).pathname;
const MAIN = join(ROOT, 'packages/demo/src/main.ts');

async function until(what: string, look: () => boolean | Promise<boolean>, ms = 40_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`expected within ${ms} ms: ${what}`);
    await delay(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Processes that carry this demo's folder in their environment or arguments, or run in it. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const text =
          readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
        return text.includes(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe.skipIf(process.platform !== 'linux')('the demo', () => {
  let temporary: string;
  let demo: ChildProcess | undefined;
  let output: string;
  let port: number;

  beforeEach(async () => {
    temporary = mkdtempSync(join(tmpdir(), 'bw-test-'));
    // Postgres runs as a user of its own where the demo is root, and has to get through here.
    chmodSync(temporary, 0o755);
    port = await freePort();
    output = '';
  });
  afterEach(async () => {
    if (demo?.exitCode === null && demo.signalCode === null) demo.kill('SIGKILL');
    await until('the demo has cleared away', () => processesOf(temporary).length === 0).catch(
      () => undefined,
    );
    rmSync(temporary, { recursive: true, force: true });
  });

  function start(env: Record<string, string> = {}): Promise<number | null> {
    const child = spawn(process.execPath, [MAIN], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        TMPDIR: temporary,
        DEMO_PORT: String(port),
        NO_COLOR: '1',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    demo = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return new Promise((resolve) => child.on('exit', resolve));
  }

  /** Nothing of it is left: no process, no folder, no listener on its port. */
  async function nothingIsLeft(): Promise<void> {
    await until('no process is left', () => processesOf(temporary).length === 0);
    await until('no temporary folder is left', () => readdirSync(temporary).length === 0);
    await expect(fetch(`http://127.0.0.1:${port}/ping`)).rejects.toThrow();
  }

  it('guards a bot that holds something, and SIGTERM leaves it flat: shown, proven with SQL, exit code 0', async () => {
    const exited = start();
    await until('the demo is ready', () => output.includes('Ready: the bot holds'));
    const [, positions, orders] = /holds (\d+) open positions?, (\d+) pending orders?/.exec(output) ?? [];
    expect(Number(positions)).toBeGreaterThan(0);
    expect(Number(orders)).toBeGreaterThan(0);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    const page = /in a browser: (http:\/\/\S+)/.exec(output)?.[1] ?? '';
    expect(await (await fetch(page)).text()).toContain('demo');
    demo?.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(output).toContain('"state": "flat"');
    expect(output).toContain('0 open positions, 0 pending orders');
    expect(output).toContain('Ended with code 0');
    await nothingIsLeft();
  });

  it('says so when the bot cannot close: receipt not_flat, exit code 3', async () => {
    const exited = start();
    await until('the demo is ready', () => output.includes('Ready: the bot holds'));
    const misbehave = /http:\/\/127\.0\.0\.1:\d+\/misbehave/.exec(output)?.[0] ?? '';
    expect((await fetch(misbehave, { method: 'POST', body: '{"mode":"fail-close"}' })).status).toBe(200);
    demo?.kill('SIGTERM');
    expect(await exited).toBe(3);
    expect(output).toContain('"state": "not_flat"');
    await nothingIsLeft();
  });

  it.each([
    ['SIGTERM', 'before it said anything', ''],
    ['SIGTERM', 'while Postgres is made', 'postgres Starting'],
    ['SIGINT', 'while the bot starts', 'bot      Starting'],
    ['SIGTERM', 'while the sidecar starts', 'sidecar  Starting'],
    ['SIGKILL', 'while Postgres is made', 'postgres Starting'],
    ['SIGKILL', 'while the sidecar starts', 'sidecar  Starting'],
    ['SIGKILL', 'when all is up', 'Ready: the bot holds'],
  ] as const)('leaves nothing behind after %s %s', async (signal, _when, said) => {
    const exited = start();
    await until(`it says ${said}`, () => output.includes(said));
    demo?.kill(signal);
    await exited;
    await nothingIsLeft();
  });

  it('says in one sentence that its port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      expect(await start()).toBe(1);
      expect(output).toContain(String(port));
      expect(output.trim().split('\n').length).toBeLessThanOrEqual(3);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('says in one sentence that python3 is missing', async () => {
    expect(await start({ PATH: '/nowhere' })).toBe(1);
    expect(output).toMatch(/python3/);
    await nothingIsLeft();
  });
});
