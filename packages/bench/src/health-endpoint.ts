import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startLocalPostgres } from '@botwarden/local-postgres';
import autocannon from 'autocannon';
import { CONTENDER_NAMES } from './health-contender.ts';

/** What was measured of one contender. */
export interface HealthMeasurement {
  readonly name: string;
  /** Requests answered with 200, per second: the median of the rounds. */
  readonly requestsPerSecond: number;
  /** Milliseconds from the start of the process to its first 200. */
  readonly firstAnswerMs: number;
  /** Resident memory before the load, in megabytes. */
  readonly idleMegabytes: number;
  /** Requests of the load that were not answered with 200. */
  readonly failed: number;
}

/** Options of {@link measureHealthEndpoints}. */
export interface HealthBenchOptions {
  /** Seconds of load on each contender in each round. Default 2. */
  readonly seconds?: number;
  /** How often each has its turn; taking turns spreads what else the machine does over all of them. Default 3. */
  readonly rounds?: number;
  /** Which contenders. Default all. */
  readonly names?: readonly string[];
}

const CONNECTIONS = 20;

/** Measures and prints the table. */
export async function benchHealthEndpoint(): Promise<void> {
  process.stdout.write('The health endpoint, with three real checks (HTTP, Postgres, models) behind it.\n');
  process.stdout.write(
    `${CONNECTIONS} connections on the loopback; the ratio is to the first line of the same run.\nRequests per second are the median of three turns.\n\n`,
  );
  process.stdout.write(row('', 'requests/s', 'ratio', 'first 200', 'idle', 'failed'));
  const measured = await measureHealthEndpoints();
  const bare = measured[0]?.requestsPerSecond ?? Number.NaN;
  for (const { name, requestsPerSecond, firstAnswerMs, idleMegabytes, failed } of measured) {
    const ratio = (requestsPerSecond / bare).toFixed(2);
    const memory = `${Math.round(idleMegabytes)} MB`;
    const first = `${Math.round(firstAnswerMs)} ms`;
    process.stdout.write(
      row(name, String(Math.round(requestsPerSecond)), ratio, first, memory, String(failed)),
    );
  }
}

function row(name: string, ...cells: string[]): string {
  return `${name.padEnd(32)}${cells.map((cell) => cell.padStart(12)).join('')}\n`;
}

/** Puts contenders under load in turns, each in a process of its own. */
export async function measureHealthEndpoints(options: HealthBenchOptions = {}): Promise<HealthMeasurement[]> {
  const { seconds = 2, rounds = 3, names = CONTENDER_NAMES } = options;
  const database = await startLocalPostgres({ user: 'bench', password: 'bench' });
  const target = fork(fileURLToPath(new URL('health-target.ts', import.meta.url)));
  const contenders: Contender[] = [];
  try {
    const [{ port }] = (await once(target, 'message')) as [{ port: number }];
    const env = { ...process.env, TARGET_URL: `http://127.0.0.1:${port}`, DATABASE_URL: database.url };
    for (const name of names) contenders.push(await start(name, env));
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of contenders) await load(contender, seconds);
    }
    return contenders.map(({ name, firstAnswerMs, idleMegabytes, rates, failed }) => ({
      name,
      requestsPerSecond: rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)] ?? 0,
      firstAnswerMs,
      idleMegabytes,
      failed,
    }));
  } finally {
    for (const { child } of contenders) child.kill('SIGKILL');
    target.kill();
    await database.remove();
  }
}

interface Contender {
  readonly name: string;
  readonly child: ChildProcess;
  readonly url: string;
  readonly firstAnswerMs: number;
  readonly idleMegabytes: number;
  readonly rates: number[];
  failed: number;
}

async function start(name: string, env: NodeJS.ProcessEnv): Promise<Contender> {
  const started = performance.now();
  const child = fork(fileURLToPath(new URL('health-contender.ts', import.meta.url)), [name], { env });
  const { listening } = await message<{ listening: { port: number; path: string } }>(child, name);
  const url = `http://127.0.0.1:${listening.port}${listening.path}`;
  await firstAnswer(url, name);
  const firstAnswerMs = performance.now() - started;
  child.send('memory');
  const { rss } = await message<{ rss: number }>(child, name);
  // What the first requests compile is not what is compared.
  await autocannon({ url, connections: CONNECTIONS, duration: 1 });
  return { name, child, url, firstAnswerMs, idleMegabytes: rss / 1e6, rates: [], failed: 0 };
}

async function load(contender: Contender, seconds: number): Promise<void> {
  const result = await autocannon({ url: contender.url, connections: CONNECTIONS, duration: seconds });
  contender.rates.push(result['2xx'] / result.duration);
  contender.failed += result.non2xx + result.errors;
}

async function message<T>(child: ChildProcess, name: string): Promise<T> {
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code} instead of answering`);
  });
  ended.catch(() => undefined);
  const [said] = (await Promise.race([once(child, 'message'), ended])) as [T];
  return said;
}

async function firstAnswer(url: string, name: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    const response = await fetch(url).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`${name} has not answered ${url} with 200 within 20 s`);
}
