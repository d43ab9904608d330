import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** The top of the repository. */
export const ROOT = new URL('../../../../', import.meta.url).pathname;

/** What a command said; `code` is its exit code. */
export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export async function command(
  program: string,
  args: readonly string[],
  options: { env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Said> {
  const settings = {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 180_000,
    maxBuffer: 64 * 1024 * 1024,
  };
  try {
    const { stdout, stderr } = await run(program, [...args], settings);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const {
      code,
      stdout = '',
      stderr = '',
    } = error as { code?: number | string; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : 1, stdout, stderr: stderr || String(error) };
  }
}

/** Waits until `look` gives something other than undefined or false, and gives that; throws after `ms`. */
export async function until<T>(
  what: string,
  look: () => Promise<T>,
  ms = 60_000,
): Promise<Exclude<Awaited<T>, undefined | false>> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Exclude<Awaited<T>, undefined | false>;
    if (performance.now() > end) throw new Error(`expected within ${ms} ms: ${what}`);
    await delay(250);
  }
}

/**
 * Whether a test that needs an engine can run. Where `CI` is set it must: a missing engine then fails there, rather
 * than being passed over.
 */
export async function engineAnswers(): Promise<boolean> {
  const { code } = await command('docker', ['info'], { timeoutMs: 20_000 });
  if (code !== 0 && process.env.CI !== undefined && process.env.CI !== '') {
    throw new Error('expected a Docker engine to answer, as CI is set; start one and run the tests again');
  }
  return code === 0;
}

/** A receipt, as far as these tests look at it. */
export interface Receipt {
  readonly drain_id: string;
  readonly state: string;
  readonly trigger: string;
  readonly open_positions: number | null;
  readonly pending_orders: number | null;
}

/** The Compose stack of the repository, under a name of its own. */
export class Stack {
  readonly project = `bw-${randomBytes(4).toString('hex')}`;
  readonly #env: Record<string, string>;

  constructor(env: Record<string, string> = {}) {
    this.#env = { COMPOSE_PROJECT_NAME: this.project, ...env };
  }

  /** `docker compose …`, with this stack's variables and whatever `env` adds. */
  compose(args: readonly string[], env: Record<string, string> = {}, timeoutMs?: number): Promise<Said> {
    return command('docker', ['compose', ...args], {
      env: { ...this.#env, ...env },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  }

  /** The README's command. Fails with what Compose said. */
  async up(): Promise<void> {
    const said = await this.compose(['up', '--build', '--wait'], {}, 600_000);
    if (said.code !== 0) {
      const logs = await this.compose(['logs', '--tail', '30']);
      throw new Error(`expected the stack to come up: ${said.stderr}\n${logs.stdout}`);
    }
  }

  /** Removes everything that belongs to the stack. */
  async remove(): Promise<void> {
    await this.compose(['down', '--volumes', '--remove-orphans', '--timeout', '1']);
  }

  /** Rows of positions and orders that the bot's own tables hold. The database must be up. */
  async rows(): Promise<{ positions: number; orders: number }> {
    const said = await this.compose([
      ...['exec', '-T', 'db', 'psql', '--username=bot', '--dbname=bot', '-Atc'],
      'SELECT (SELECT count(*) FROM bot_positions), (SELECT count(*) FROM bot_orders)',
    ]);
    const match = /^(\d+)\|(\d+)$/.exec(said.stdout.trim());
    if (match === null)
      throw new Error(`expected two numbers from the database: ${said.stdout} ${said.stderr}`);
    return { positions: Number(match[1]), orders: Number(match[2]) };
  }

  /** Waits until the bot holds at least one position and one order, by its own tables. */
  async holding(): Promise<void> {
    await until('the bot holds a position and an order', async () => {
      const { positions, orders } = await this.rows();
      return positions > 0 && orders > 0;
    });
  }

  /** State and exit code of one service's container. */
  async state(service: string): Promise<{ status: string; exitCode: number }> {
    const said = await this.compose(['ps', '--all', '--format', '{{.State}} {{.ExitCode}}', service]);
    const [status = '', exitCode = ''] = said.stdout.trim().split(' ');
    return { status, exitCode: Number(exitCode) };
  }

  /** The receipts in the log of the sidecar, oldest first. Also readable when the container has stopped. */
  async receipts(): Promise<Receipt[]> {
    const said = await this.compose(['cp', 'sidecar:/var/lib/botwarden/drains.jsonl', '-']);
    // `-` gives a tar: the lines that are receipts are picked out of it.
    return said.stdout
      .split('\n')
      .map((line) => line.slice(Math.max(0, line.indexOf('{"drain_id"'))))
      .filter((line) => line.startsWith('{"drain_id"'))
      .map((line) => JSON.parse(line) as Receipt);
  }

  /** Makes the bot misbehave; the stack must have been brought up with ALLOW_MISBEHAVIOUR=1. */
  async misbehave(mode: string): Promise<void> {
    const body = JSON.stringify({ mode });
    const said = await this.compose([
      'exec',
      '-T',
      'bot',
      'curl',
      '-fsS',
      '--max-time',
      '5',
      '-d',
      body,
      'http://localhost:8000/misbehave',
    ]);
    if (said.code !== 0) throw new Error(`expected the bot to ${mode}: ${said.stderr}`);
  }

  /** The status that one of the sidecar's paths answers with; 0 when it does not. */
  async status(path: string): Promise<number> {
    const said = await this.compose([
      ...['exec', '-T', 'sidecar', 'curl', '-s', '--max-time', '5', '-o', '/dev/null', '-w', '%{http_code}'],
      `http://localhost:9400${path}`,
    ]);
    return Number(said.stdout);
  }
}
