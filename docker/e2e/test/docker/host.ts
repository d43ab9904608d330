import { spawn } from 'node:child_process';
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { docker, dockerOk, type Outcome, run, top } from './engine.ts';
import { eventually } from './stack.ts';

/** A line of the journal of docker/deploy, as far as these tests ask. */
export interface Shipped {
  action: string;
  result: string;
  release: string;
  flat: string;
  models: string;
  backup: string;
  images: { service: string; image: string; id: string }[];
}

/** A clean clone of this repository, as whoever installs it has one. */
export async function cleanClone(): Promise<string> {
  const folder = path.join(await mkdtemp(path.join(tmpdir(), 'botwarden-')), 'botwarden');
  const { status, stderr } = await run('git', ['clone', '--quiet', top, folder], { cwd: top });
  if (status !== 0) throw new Error(`git clone ended with ${status}: ${stderr}`);
  return folder;
}

/**
 * A host with Docker, a clean clone, secrets and a filled-in .env, with the settings of production. Images and
 * containers have names of their own. Disposing of it removes all of it.
 */
export class Host implements AsyncDisposable {
  readonly project: string;
  readonly folder: string;

  private constructor(project: string, folder: string) {
    this.project = project;
    this.folder = folder;
  }

  static async prepare(name: string): Promise<Host> {
    const host = new Host(`botwarden-${name}-${process.pid}`, await cleanClone());
    const secrets = path.join(host.folder, 'secrets');
    await mkdir(secrets, { mode: 0o700 });
    const contents = {
      db_password: 'a-password-for-this-test',
      database_url: 'postgres://bot:a-password-for-this-test@db:5432/bot',
      bot_token: 'a-bot-token-for-this-test',
      drain_token: 'a-drain-token-for-this-test',
      alert_webhook_url: 'http://127.0.0.1:9/',
    };
    for (const [file, content] of Object.entries(contents)) {
      await writeFile(path.join(secrets, file), content);
      await chmod(path.join(secrets, file), 0o644);
    }
    const settings = [
      `COMPOSE_PROJECT_NAME=${host.project}`,
      'COMPOSE_FILE=compose.yaml:docker/compose.production.yaml',
      'SECRETS_DIR=./secrets',
      `BOT_IMAGE=${host.project}-bot:none`,
      `SIDECAR_IMAGE=${host.project}-sidecar:none`,
      `DASHBOARD_IMAGE=${host.project}-dashboard:none`,
      // Some free port: another stack may run here.
      'DASHBOARD_PORT=0',
      'EXPECTED_MODELS=signal',
      'FLAT_CHECK_SQL=SELECT (SELECT count(*) FROM bot_positions) + (SELECT count(*) FROM bot_orders)',
      'DRAIN_TIMEOUT=15s',
      'BOT_MEMORY=700m',
    ];
    await writeFile(path.join(host.folder, '.env'), `${settings.join('\n')}\n`, { mode: 0o600 });
    return host;
  }

  /** `docker/deploy …`, to its end. */
  deploy(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
    return run('docker/deploy', args, { cwd: this.folder, env });
  }

  /** The same, for one that has to work: gives its output, or throws what it said. */
  async deployOk(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.deploy(args);
    if (status !== 0)
      throw new Error(`docker/deploy ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`);
    return stdout;
  }

  /**
   * Starts `docker/deploy …` and sends it a signal as soon as it is at work in the step of that name, or has begun it,
   * where that step has no long work of its own. What a killed deploy began goes on without it.
   */
  async deployCutAt(stepName: string, signal: NodeJS.Signals, ...args: string[]): Promise<Outcome> {
    const child = spawn('docker/deploy', args, { cwd: this.folder, env: process.env });
    const outcome: Outcome = { status: null, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      outcome.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      outcome.stderr += text;
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    const atWork = path.join(this.folder, 'deployments/at-work');
    await eventually(
      `it begins "${stepName}"`,
      async () => outcome.stdout.includes(`] ${stepName}`) || child.exitCode !== null,
      120_000,
      5,
    );
    await eventually(
      'it is at work',
      async () => (await readFile(atWork, 'utf8')).includes(stepName),
      500,
      5,
    ).catch(() => undefined);
    if (!child.kill(signal)) throw new Error(`it ended before:\n${outcome.stdout}\n${outcome.stderr}`);
    outcome.status = await ended;
    return outcome;
  }

  compose(...args: string[]): Promise<string> {
    return dockerOk(['compose', '--project-directory', this.folder, ...this.#files(), ...args]);
  }

  #files(): string[] {
    const files = ['compose.yaml', 'docker/compose.production.yaml'];
    return [
      ...['--env-file', path.join(this.folder, '.env')],
      ...files.flatMap((file) => ['--file', path.join(this.folder, file)]),
    ];
  }

  async sql(query: string): Promise<string[][]> {
    const psql = ['psql', '--username=bot', '--dbname=bot', '-At', '-c', query];
    const answer = await this.compose('exec', '-T', 'db', ...psql);
    return answer === '' ? [] : answer.split('\n').map((row) => row.split('|'));
  }

  /** Rows of positions and of orders that the bot's tables hold. */
  async rows(): Promise<{ positions: number; orders: number }> {
    const [[positions, orders] = []] = await this.sql(
      'SELECT (SELECT count(*) FROM bot_positions), (SELECT count(*) FROM bot_orders)',
    );
    return { positions: Number(positions), orders: Number(orders) };
  }

  /** Waits until the bot holds a position and an order. */
  async holding(): Promise<void> {
    await eventually('the bot holds a position and an order', async () => {
      const { positions, orders } = await this.rows();
      return positions > 0 && orders > 0;
    });
  }

  /** Boots of the bot in the order of their first trade, from the history that the database keeps. */
  async boots(): Promise<{ instance: string; first: number; last: number; leftOpen: number }[]> {
    const rows = await this.sql(
      `SELECT instance, extract(epoch FROM min(at)), extract(epoch FROM max(at)),
              count(*) FILTER (WHERE event IN ('opened', 'placed'))
            - count(*) FILTER (WHERE event NOT IN ('opened', 'placed'))
       FROM bot_trades GROUP BY instance ORDER BY 2`,
    );
    return rows.map(([instance = '', first, last, leftOpen]) => ({
      instance,
      first: Number(first),
      last: Number(last),
      leftOpen: Number(leftOpen),
    }));
  }

  /** The image that the container of a service runs. */
  imageOf(service: string): Promise<string> {
    return dockerOk(['inspect', '--format', '{{.Image}}', `${this.project}-${service}-1`]);
  }

  async journal(): Promise<Shipped[]> {
    const text = await readFile(path.join(this.folder, 'deployments/journal.jsonl'), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  }

  /** One more version of the bot: these lines at the end of its Dockerfile. */
  async change(...lines: string[]): Promise<void> {
    await run('git', ['checkout', '--quiet', 'docker/bot/Dockerfile'], { cwd: this.folder });
    await appendFile(path.join(this.folder, 'docker/bot/Dockerfile'), `${lines.join('\n')}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await docker(['compose', '--project-name', this.project, 'down', '--volumes', '--timeout', '1']);
    const { stdout } = await docker(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']);
    const own = stdout.split('\n').filter((name) => name.startsWith(`${this.project}-`));
    if (own.length > 0) await docker(['image', 'rm', ...own]);
    await rm(path.dirname(this.folder), { recursive: true, force: true });
  }
}
