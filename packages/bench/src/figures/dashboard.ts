import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Figure, figureOf, type Measured } from '../figure.ts';
import { quantile } from '../statistics.ts';
import type { World } from '../world.ts';

const SIDECARS = 200;
const PAGES = 100;
const SAMPLE_MS = 5_000;
const WARM_UP_MS = 20_000;

/** One reading of the dashboard's own metrics. */
interface Sample {
  readonly rssMb: number;
  readonly heapMb: number;
  /** Of the event loop's delay since the reading before. */
  readonly p99Ms: number;
  readonly cpuSeconds: number;
}

/**
 * The dashboard with 200 sidecars looked at every 5 s and 100 open pages, each reading its events: memory and the delay
 * of the event loop, as the dashboard's own /metrics tell them. One minute, or as many as BENCH_MINUTES says.
 */
export async function dashboard({ quick }: World): Promise<Measured> {
  const minutes = quick ? 0.2 : Number(process.env.BENCH_MINUTES ?? 1);
  const server = await listening(sidecars());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const list = Array.from({ length: SIDECARS }, (_, n) => `bot-${n}=${base}/${n}`).join(',');
  const running = await start({ SIDECARS: list, PROBE_INTERVAL: '5s', PORT: '0', LOG_LEVEL: 'info' });
  try {
    let received = 0;
    const pages = await Promise.all(
      Array.from({ length: PAGES }, () => open(`${running.url}/events`, (bytes) => (received += bytes))),
    );
    await delay(WARM_UP_MS);
    await read(running.url);
    const atStart = received;
    const samples: Sample[] = [];
    const end = performance.now() + minutes * 60_000;
    while (performance.now() < end) {
      await delay(SAMPLE_MS);
      samples.push(await read(running.url));
    }
    for (const page of pages) page.destroy();
    return { figures: figuresOf(samples, (received - atStart) / (minutes * 60)) };
  } finally {
    running.child.kill('SIGTERM');
    server.closeAllConnections();
    server.close();
  }
}

function figuresOf(samples: readonly Sample[], bytesPerSecond: number): Figure[] {
  // The last quarter beside the first: memory that grows shows.
  const quarter = (n: number): readonly Sample[] =>
    samples.slice(Math.floor((n * samples.length) / 4), Math.max(1, ((n + 1) * samples.length) / 4));
  const memory = (n: number): number[] => quarter(n).map(({ rssMb }) => rssMb);
  const p99 = samples.map(({ p99Ms }) => p99Ms);
  const cpu = (samples.at(-1)?.cpuSeconds ?? 0) - (samples[0]?.cpuSeconds ?? 0);
  const seconds = Math.max(1, samples.length - 1) * (SAMPLE_MS / 1000);
  return [
    figureOf(
      `dashboard with ${SIDECARS} sidecars and ${PAGES} pages, resident, first quarter`,
      'MB',
      memory(0),
    ),
    figureOf('the same, last quarter', 'MB', memory(3)),
    figureOf('event-loop delay p99 of 5 s spans', 'ms', p99),
    figureOf('the longest of them', 'ms', [quantile(p99, 1)]),
    figureOf('of a core', '%', [(100 * cpu) / seconds]),
    figureOf('sent to all pages', 'KiB/s', [bytesPerSecond / 1024]),
  ];
}

/** Two hundred stand-ins in this process, each below a path of its own. Now and then one changes its mind. */
function sidecars(): RequestListener {
  return (request, response) => {
    const [, number = '0', what = ''] = (request.url ?? '').split('/');
    const ill = (Number(number) * 7 + Math.floor(Date.now() / 30_000)) % 100 === 0;
    const body =
      what === 'healthz'
        ? health(Number(number), ill)
        : what === 'drains'
          ? { drains: receipts(number) }
          : { state: 'none' };
    response
      .writeHead(what === 'healthz' && ill ? 503 : 200, { 'content-type': 'application/json' })
      .end(JSON.stringify(body));
  };
}

function health(number: number, ill: boolean): object {
  const now = new Date().toISOString();
  const check = (name: string, status: string): object[] => [
    {
      componentId: name,
      componentType: 'component',
      status,
      state: status,
      critical: true,
      since: '2026-01-01T00:00:00Z',
      time: now,
      observedValue: Math.round(Math.random() * 1000) / 10,
      observedUnit: 'ms',
      ...(status === 'fail' ? { output: 'no answer from the bot', code: 'BOT_TIMEOUT' } : {}),
    },
  ];
  return {
    status: ill ? 'fail' : 'pass',
    checks: {
      'api:responseTime': check('api', ill ? 'fail' : 'pass'),
      'database:responseTime': check('database', 'pass'),
      'models:loaded': check('models', 'pass'),
      'tick:age': check('tick', 'pass'),
      'close-path:responseTime': check('close-path', 'pass'),
    },
    bot: { instance: `boot-${number}`, trading: 'running', database: 'connected', last_tick_at: now },
    positions: { open_positions: number % 5, pending_orders: number % 3, at: now },
    drain: { active: false, unfinished: false },
    heal: { live: !ill, reason: ill ? 'api' : null, heals_last_hour: 0, capped: false },
  };
}

function receipts(number: string): object[] {
  return Array.from({ length: 20 }, (_, n) => ({
    drain_id: `drain-${number}-${n}`,
    trigger: 'SIGTERM',
    state: 'flat',
    at: '2026-01-01T00:00:05Z',
    started_at: '2026-01-01T00:00:00Z',
    duration_ms: 5000,
    bot_instance: `boot-${number}`,
    attempts: 1,
    open_positions: 0,
    pending_orders: 0,
    reason: 'two reads in a row showed nothing open and nothing pending',
  }));
}

async function start(env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const main = fileURLToPath(new URL('../../../dashboard/src/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  for (const end = performance.now() + 20_000; performance.now() < end; await delay(50)) {
    const port = /"event":"listening".*?"port":(\d+)/.exec(text)?.[1];
    if (port !== undefined) return { child, url: `http://127.0.0.1:${port}` };
  }
  child.kill('SIGKILL');
  throw new Error(`expected the dashboard to listen within 20 s, got ${text}`);
}

function open(url: string, onBytes: (bytes: number) => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      if (response.statusCode !== 200)
        reject(new Error(`expected 200 from ${url}, got ${response.statusCode}`));
      response.on('data', (chunk: Buffer) => onBytes(chunk.length));
      response.on('error', () => undefined);
      resolve(response);
    }).on('error', reject);
  });
}

async function read(url: string): Promise<Sample> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
  return {
    rssMb: value('process_resident_memory_bytes') / 1024 / 1024,
    heapMb: value('nodejs_heap_size_used_bytes') / 1024 / 1024,
    p99Ms: value('nodejs_eventloop_lag_p99_seconds') * 1000,
    cpuSeconds: value('process_cpu_seconds_total'),
  };
}

async function listening(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
