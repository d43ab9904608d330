import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import { type BotProcess, startBotProcess } from './bot.ts';

const run = promisify(execFile);
const ROOT = new URL('../../../', import.meta.url).pathname;

/** What the figures are measured with. Everything in it is started when it is first asked for. */
export interface World {
  /** Runs everything once and briefly: whether the bench works, and no figure. */
  readonly quick: boolean;
  readonly postgres: () => Promise<LocalPostgres>;
  readonly bot: () => Promise<BotProcess>;
  /** The sidecar as its image has it: one bundled file. */
  readonly sidecar: () => Promise<readonly [string, ...string[]]>;
  /** A folder that is removed at the end. */
  readonly folder: string;
  /** Tells a person what is under way. */
  readonly say: (text: string) => void;
}

/** Makes a world for `use`, and takes it down again. */
export async function withWorld<T>(quick: boolean, use: (world: World) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-bench-'));
  const ends: Array<() => unknown> = [() => rmSync(folder, { recursive: true, force: true })];
  const once = <R>(start: () => Promise<R>, end: (started: R) => unknown = () => undefined) => {
    let started: Promise<R> | undefined;
    return () => {
      started ??= start().then((made) => {
        ends.push(() => end(made));
        return made;
      });
      return started;
    };
  };
  try {
    return await use({
      quick,
      folder,
      postgres: once(
        () => startLocalPostgres({ user: 'bench', password: 'bench' }),
        (server) => server.remove(),
      ),
      bot: once(startBotProcess, (bot) => bot.end()),
      sidecar: once(bundledSidecar),
      say: (text) => void process.stderr.write(`${text}\n`),
    });
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Builds the sidecar's bundle, and gives the command that runs it. */
async function bundledSidecar(): Promise<readonly [string, ...string[]]> {
  await run('npm', ['--prefix', join(ROOT, 'packages/sidecar'), 'run', 'bundle'], { cwd: ROOT });
  const program = join(ROOT, 'packages/sidecar/bundle/botwarden.mjs');
  if (!existsSync(program))
    throw new Error(`expected the bundle ${program} to be there after "npm run bundle"`);
  return [process.execPath, program];
}

/** The environment of a sidecar of this world, with its three probes every 5 s. */
export async function sidecarEnv(world: World, name: string): Promise<Record<string, string>> {
  const [bot, postgres] = await Promise.all([world.bot(), world.postgres()]);
  mkdirSync(join(world.folder, name), { recursive: true });
  return {
    BOT_URL: bot.url,
    DATABASE_URL: postgres.url,
    DRAIN_LOG: join(world.folder, name, 'drains.jsonl'),
    NODE_ENV: 'production',
  };
}
