import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker, dockerOk, top } from './engine.ts';

/** A service of compose.yaml, or of the tests' own file. */
export type Service = 'db' | 'bot' | 'sidecar' | 'dashboard' | 'alerts';

/** A line of the sidecar's drains.jsonl. */
export interface Receipt {
  drain_id: string;
  trigger: string;
  state: 'started' | 'flat' | 'not_flat' | 'nothing_to_do' | 'abandoned';
  bot_instance: string | null;
  attempts: number;
  open_positions: number | null;
  pending_orders: number | null;
  duration_ms: number;
  reason: string | null;
}

/** What `docker inspect` says of a container, as far as these tests ask. */
export interface ContainerState {
  id: string;
  running: boolean;
  status: string;
  exitCode: number;
  oomKilled: boolean;
  restarts: number;
  health: string | undefined;
}

/** Waits until `look` gives something, at most `limit` milliseconds, and gives it. */
export async function eventually<T>(
  what: string | (() => string),
  look: () => Promise<T | undefined | false>,
  limit = 60_000,
  pause = 200,
): Promise<T> {
  const end = Date.now() + limit;
  let failure: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (Date.now() > end) {
      const wanted = typeof what === 'string' ? what : what();
      throw new Error(`waited ${limit} ms in vain until ${wanted}`, { cause: failure });
    }
    await sleep(pause);
  }
}

/** Follows the log of a stack from now on, across containers that are replaced. */
export interface Follower {
  /** `service text`, in the order in which they came, which may differ a little from that in which they were written. */
  lines: readonly string[];
  /**
   * Which of these moments were seen, by a word that their lines contain, in the order in which the engine got them.
   * Looks also at what is still in the logs: who follows misses the last lines of a container that is restarted.
   */
  order: (moments: Record<string, string>) => Promise<string[]>;
  stop: () => void;
}

/**
 * A line of `docker compose logs --timestamps`, as `time service text`, which sorts by time: by the time that stands in
 * the line, where one does, since a program that never waits for its reader writes a little later than it speaks.
 */
const timed = (line: string): string =>
  line.replace(/^(\w+)-1 +\| (\S+) (.*)$/, (_, service: string, at: string, text: string) => {
    const said = /^\{.*?"time": ?"([^"]+)Z"/.exec(text)?.[1];
    return `${said === undefined ? at : `${said}000000Z`} ${service} ${text}`;
  });

/**
 * The Compose stack of this repository under a name of its own, on the real engine. Disposing of it removes its
 * containers, networks and volumes whatever happened before.
 */
export class Stack implements AsyncDisposable {
  readonly project: string;
  readonly #files: readonly string[];
  readonly #env: Record<string, string> = {};
  readonly #followers = new Set<Follower>();

  constructor(name: string, files: readonly string[] = ['compose.yaml', 'docker/e2e/compose.e2e.yaml']) {
    this.project = `botwarden-${name}-${process.pid}`;
    this.#files = files.flatMap((file) => ['--file', file]);
  }

  /** Variables for every later command. */
  set(env: Record<string, string>): void {
    Object.assign(this.#env, env);
  }

  #args(args: readonly string[]): string[] {
    return ['compose', '--project-name', this.project, ...this.#files, ...args];
  }

  /** `docker compose …` on this stack; throws when it fails. */
  compose(...args: string[]): Promise<string> {
    return dockerOk(this.#args(args), { env: this.#env });
  }

  /** The same, for a command that may fail. */
  tryCompose(...args: string[]) {
    return docker(this.#args(args), { env: this.#env });
  }

  /** A command of Compose that stays in the foreground. */
  attached(...args: string[]): ChildProcess {
    return spawn('docker', this.#args(args), {
      cwd: top,
      env: { ...process.env, ...this.#env },
      stdio: 'ignore',
    });
  }

  /** The name of a service's container. */
  container(service: Service): string {
    return `${this.project}-${service}-1`;
  }

  /** Everything up, the bot ready and on the market with a position and an order at least. Gives its boot. */
  async trading(): Promise<string> {
    // More than once: a container that was paused is called unhealthy until its next check, and then the dashboard,
    // which waits for it, is not started.
    let said = '';
    await eventually(
      () => `everything is up: ${said}`,
      async () => {
        const { status, stderr } = await this.tryCompose('up', '--detach');
        said = stderr;
        return status === 0;
      },
      120_000,
      1_000,
    );
    return eventually('the bot is ready and holds positions and orders', async () => {
      const [open = 0, orders = 0] = await this.rows();
      const { instance, trading } = await this.health();
      const ready = (await this.sidecarStatus('/readyz')) === 200;
      return ready && trading === 'running' && open > 0 && orders > 0 && instance;
    });
  }

  /** What the bot says of itself. */
  async health(): Promise<{ instance: string; trading: string; database: string; last_tick_at: string }> {
    return JSON.parse(
      await this.exec('bot', 'curl', '-fsS', '--max-time', '2', 'http://localhost:8000/health'),
    );
  }

  /** Status of one of the sidecar's calls. */
  async sidecarStatus(path: string): Promise<number> {
    const args = [
      'curl',
      '-sS',
      '--max-time',
      '3',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `http://localhost:9400${path}`,
    ];
    return Number(await this.exec('sidecar', ...args));
  }

  exec(service: Service, ...command: string[]): Promise<string> {
    return dockerOk(['exec', this.container(service), ...command]);
  }

  async misbehave(mode: string, seconds?: number): Promise<void> {
    const body = JSON.stringify(seconds === undefined ? { mode } : { mode, seconds });
    // Some of the modes end the bot before it can answer.
    await docker([
      'exec',
      this.container('bot'),
      'curl',
      '-sS',
      '--max-time',
      '3',
      '-d',
      body,
      'http://localhost:8000/misbehave',
    ]);
  }

  /** One row of the database's answer to each line, the fields split at `|`. */
  async sql(query: string): Promise<string[]> {
    const text = await this.exec('db', 'psql', '-U', 'bot', '-d', 'bot', '-Atqc', query);
    return text.split('\n');
  }

  /** Rows that are open now: positions, orders. */
  async rows(): Promise<number[]> {
    const [row = ''] = await this.sql(
      'SELECT (SELECT count(*) FROM bot_positions), (SELECT count(*) FROM bot_orders)',
    );
    return row.split('|').map(Number);
  }

  /** Rows in a stack whose database may have been stopped: it is started for the question. */
  async rowsAfterwards(): Promise<number[]> {
    await this.compose('up', '--detach', '--wait', '--wait-timeout', '120', '--no-deps', 'db');
    return this.rows();
  }

  /** What was open when this boot of the bot did its last trade, from the bot's own history. */
  async leftBy(instance: string): Promise<number> {
    const [left = ''] = await this.sql(
      `SELECT count(*) FILTER (WHERE event IN ('opened', 'placed'))
            - count(*) FILTER (WHERE event IN ('closed', 'filled', 'cancelled', 'withdrawn'))
         FROM bot_trades WHERE seq <= (SELECT max(seq) FROM bot_trades WHERE instance = '${instance}')`,
    );
    return Number(left);
  }

  /** The receipts, oldest first, also of a sidecar that is gone. */
  async receipts(): Promise<Receipt[]> {
    const text = await dockerOk([
      'run',
      '--rm',
      '--network=none',
      '--entrypoint=cat',
      `--volume=${this.project}_receipts:/receipts:ro`,
      'botwarden-sidecar',
      '/receipts/drains.jsonl',
    ]);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  async lastReceipt(): Promise<Receipt> {
    const last = (await this.receipts()).at(-1);
    if (last === undefined) throw new Error('there is no receipt');
    return last;
  }

  /** What was alerted since the alerts' container began. */
  async alerts(): Promise<{ event: string; severity: string; drain_id?: string }[]> {
    const text = await this.compose('logs', '--no-log-prefix', '--no-color', 'alerts');
    const lines = text.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line).botwarden);
  }

  async state(service: Service): Promise<ContainerState> {
    const [found] = JSON.parse(await dockerOk(['inspect', this.container(service)]));
    return {
      id: found.Id,
      running: found.State.Running,
      status: found.State.Status,
      exitCode: found.State.ExitCode,
      oomKilled: found.State.OOMKilled,
      restarts: found.RestartCount,
      health: found.State.Health?.Status,
    };
  }

  follow(): Follower {
    const logs = ['logs', '--since', new Date().toISOString(), '--no-color', '--timestamps'];
    const child = spawn('docker', this.#args([...logs, '--follow']), {
      cwd: top,
      env: { ...process.env, ...this.#env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const seen = new Set<string>();
    const lines: string[] = [];
    const take = (line: string) => {
      const entry = timed(line);
      if (entry === '' || seen.has(entry)) return;
      seen.add(entry);
      lines.push(entry.slice(entry.indexOf(' ') + 1));
    };
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(part);
    });
    const follower: Follower = {
      lines,
      order: async (moments) => {
        for (const line of (await this.tryCompose(...logs)).stdout.split('\n')) take(line);
        const written = [...seen].sort();
        return Object.entries(moments)
          .map(([name, word]) => [name, written.findIndex((line) => line.includes(word))] as const)
          .filter(([, at]) => at >= 0)
          .sort(([, a], [, b]) => a - b)
          .map(([name]) => name);
      },
      stop: () => {
        child.kill('SIGKILL');
        this.#followers.delete(follower);
      },
    };
    this.#followers.add(follower);
    return follower;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const follower of this.#followers) follower.stop();
    await docker(this.#args(['unpause']), { env: this.#env });
    await docker(this.#args(['down', '--volumes', '--remove-orphans', '--timeout', '0']), { env: this.#env });
  }
}

/** Waits for a foreground command to end, at most `limit` milliseconds. */
export async function ended(child: ChildProcess, limit = 120_000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await once(child, 'exit', { signal: AbortSignal.timeout(limit) });
}
