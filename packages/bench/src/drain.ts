import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../../sidecar/src/main.ts', import.meta.url).pathname;

/** What one process run showed, in milliseconds. */
interface DrainRun {
  /** From the signal to the first byte of the close call at the bot. */
  readonly toFirstByte: number;
  /** From the signal to the exit of the sidecar, less what the bot itself took to close. */
  readonly added: number;
}

/** Options of {@link benchDrain}. */
export interface DrainBenchOptions {
  /** How many sidecars are started and stopped, one after the other. Default 200. */
  readonly runs?: number;
  /** How long the bot takes to close, in milliseconds. Default 200. */
  readonly closingMs?: number;
  /** The program to run. Default: the sidecar's sources. */
  readonly program?: string;
}

/**
 * Starts a sidecar, waits until its bot is ready, sends SIGTERM, and looks on from the bot's side. Gives the lines of
 * a report. The time added holds the proof of flat: two reads of positions a quarter of a second apart.
 */
export async function benchDrain({
  runs = 200,
  closingMs = 200,
  program = MAIN,
}: DrainBenchOptions = {}): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-bench-'));
  const results: DrainRun[] = [];
  try {
    for (let run = 0; run < runs; run += 1) results.push(await oneDrain(program, closingMs, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return [
    `drain, ${runs} process runs, a bot that takes ${closingMs} ms to close`,
    line(
      'SIGTERM to first byte of the close call',
      results.map(({ toFirstByte }) => toFirstByte),
    ),
    line(
      "added to the bot's own closing time",
      results.map(({ added }) => added),
    ),
  ];
}

async function oneDrain(program: string, closingMs: number, folder: string): Promise<DrainRun> {
  const firstByte = Promise.withResolvers<number>();
  const bot = await closingBot(closingMs, () => firstByte.resolve(performance.now()));
  const { port } = bot.address() as AddressInfo;
  const sidecar = spawn(process.execPath, [program], {
    env: {
      BOT_URL: `http://127.0.0.1:${port}`,
      HOST: '127.0.0.1',
      PORT: '0',
      DRAIN_LOG: join(folder, 'drains.jsonl'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const exited = new Promise<number | null>((resolve) => sidecar.on('exit', resolve));
    await said(sidecar.stdout, '"ready":true');
    const began = performance.now();
    sidecar.kill('SIGTERM');
    const toFirstByte = (await firstByte.promise) - began;
    const code = await exited;
    if (code !== 0) throw new Error(`expected the sidecar to exit with 0, it exited with ${code}`);
    return { toFirstByte, added: performance.now() - began - closingMs };
  } finally {
    sidecar.kill('SIGKILL');
    bot.closeAllConnections();
    bot.close();
  }
}

/** A bot that is flat `closingMs` after it is asked to close. */
async function closingBot(closingMs: number, onClose: () => void): Promise<Server> {
  let open = 1;
  const server = createServer((request, response) => {
    const answer = (body: unknown): void => void response.end(JSON.stringify(body));
    if (request.method === 'POST') {
      onClose();
      setTimeout(() => {
        open = 0;
        answer({ open_positions: 0, pending_orders: 0 });
      }, closingMs);
    } else if (request.url === '/positions') answer({ open_positions: open, pending_orders: 0 });
    else if (request.url === '/models') answer({ models: [{ name: 'signal', loaded: true }] });
    else
      answer({
        status: 'ok',
        instance: 'bench',
        trading: open === 1 ? 'running' : 'halted',
        last_tick_at: new Date().toISOString(),
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function said(stream: NodeJS.ReadableStream, text: string): Promise<void> {
  let heard = '';
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes(text)) resolve();
    });
    stream.on('end', () => reject(new Error(`expected the sidecar to say ${text}; it said ${heard}`)));
  });
}

function line(what: string, values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
  return `  ${what}: median ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}
