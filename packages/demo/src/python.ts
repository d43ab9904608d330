import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The reference bot's folder: where `python -m bot` starts. */
export const botFolder = fileURLToPath(new URL('../../../docker/bot', import.meta.url));

/** The oldest Python that the bot runs on. */
const OLDEST = [3, 10] as const;

/** An unfinished install older than this, in milliseconds, belongs to no process that still runs. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;

/** What a {@link PythonError} can be about. */
export type PythonErrorCode =
  | 'PYTHON_MISSING'
  | 'PYTHON_TOO_OLD'
  | 'PIP_MISSING'
  | 'PIP_FAILED'
  | 'PSYCOPG_UNUSABLE';

/** This machine cannot run the bot as it is; the message is one sentence that says what to do. */
export class PythonError extends Error {
  override readonly name = 'PythonError';
  readonly code: PythonErrorCode;

  constructor(code: PythonErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** How to start the bot: `spawn(command, ['-m', 'bot'], { env: { ...process.env, ...env } })`. */
export interface Python {
  /** The absolute path of the interpreter. */
  readonly command: string;
  /** Variables to add to the bot's environment, which find the bot and its Postgres driver from any folder. */
  readonly env: { readonly PYTHONPATH: string };
}

/** Options of {@link findPython}. */
export interface FindPythonOptions {
  /** Where a driver that had to be installed is kept for the next time; made when absent. */
  readonly cacheDir: string;
  /** The environment to look in; by default this process's own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends an install that is under way. */
  readonly signal?: AbortSignal;
}

/**
 * Finds a Python that can run the bot against Postgres. Where psycopg, the driver, is not installed, it is
 * installed once below `cacheDir`, and nothing else on the machine is touched.
 *
 * Safe to interrupt and to run twice at once: an install becomes visible only when it is complete.
 *
 * @throws {PythonError} when there is no python3, or one that is too old, or pip cannot install the driver.
 */
export async function findPython(options: FindPythonOptions): Promise<Python> {
  const { cacheDir, signal } = options;
  const env = options.env ?? process.env;
  const { command, version, platform } = await interpreter(env, signal);
  const using = (...folders: string[]): Python => ({
    command,
    env: { PYTHONPATH: [...folders, botFolder, env.PYTHONPATH].filter(Boolean).join(delimiter) },
  });

  const bare = using();
  if ((await importError(bare, env, signal)) === undefined) return bare;

  const requirements = join(botFolder, 'requirements.txt');
  const fingerprint = createHash('sha256')
    .update(platform)
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const target = join(cacheDir, `python-${version}-${fingerprint}`);
  const equipped = using(target);
  if ((await importError(equipped, env, signal)) === undefined) return equipped;

  await install(command, requirements, target, env, signal);
  const failure = await importError(equipped, env, signal);
  if (failure !== undefined) {
    throw new PythonError(
      'PSYCOPG_UNUSABLE',
      `psycopg was installed for ${command} into ${target} but cannot be imported: ${failure}.`,
    );
  }
  return equipped;
}

interface Interpreter {
  command: string;
  /** As `3.13.5`. */
  version: string;
  /** Tells apart what cannot share binary packages. */
  platform: string;
}

// Also understood by a Python 2, so that it can be told apart from none at all.
const DESCRIBE = `
import json, sys, sysconfig
tag = getattr(getattr(sys, "implementation", None), "cache_tag", None)
print(json.dumps([sys.executable, list(sys.version_info[:3]), "%s %s" % (tag, sysconfig.get_platform())]))
`;

async function interpreter(env: NodeJS.ProcessEnv, signal: AbortSignal | undefined): Promise<Interpreter> {
  let tooOld: string | undefined;
  let broken: unknown;
  for (const name of ['python3', 'python']) {
    try {
      const { stdout } = await run(name, ['-c', DESCRIBE], { env, signal });
      const [command, [major, minor, patch], platform] = JSON.parse(stdout);
      const version = `${major}.${minor}.${patch}`;
      if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) {
        return { command: command || name, version, platform };
      }
      tooOld ??= `${command || name} is Python ${version}`;
    } catch (error) {
      signal?.throwIfAborted();
      broken ??= error;
    }
  }
  const wanted = `Python ${OLDEST.join('.')} or newer`;
  if (tooOld !== undefined) {
    throw new PythonError('PYTHON_TOO_OLD', `The bot needs ${wanted}, but ${tooOld}: install a newer one.`);
  }
  throw new PythonError(
    'PYTHON_MISSING',
    `The bot needs ${wanted}, but no python3 that runs was found on the PATH: install it, for example from python.org.`,
    { cause: broken },
  );
}

/** Why the driver cannot be imported; undefined when it can. */
async function importError(
  python: Python,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    await run(python.command, ['-c', 'import psycopg'], { env: { ...env, ...python.env }, signal });
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return lastLines(error, 1);
  }
}

async function install(
  command: string,
  requirements: string,
  target: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await run(command, ['-m', 'pip', '--version'], { env, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new PythonError(
      'PIP_MISSING',
      `The bot's Postgres driver has to be installed, but ${command} has no pip: install pip (on Debian and Ubuntu: apt install python3-pip) or the Python package psycopg.`,
      { cause: error },
    );
  }
  await mkdir(dirname(target), { recursive: true });
  // What stands there cannot be imported, or nobody would be here.
  await rm(target, { recursive: true, force: true });
  await removeAbandoned(target);
  const partial = `${target}.partial-${randomUUID()}`;
  try {
    const what = ['--target', partial, '--requirement', requirements];
    const quietly = ['--quiet', '--no-input', '--disable-pip-version-check'];
    // A compiler is more than the bot may ask of a machine, and --target and a configured --user exclude each other.
    await run(command, ['-m', 'pip', 'install', '--only-binary', ':all:', ...quietly, ...what], {
      env: { ...env, PIP_USER: '0' },
      signal,
      maxBuffer: 64 * 1024 * 1024,
    });
    await rename(partial, target).catch(async (error: unknown) => {
      // Another install was first; what it left there is checked by the caller as ours would be.
      if (await stat(target).catch(() => undefined)) return;
      throw error;
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw new PythonError(
      'PIP_FAILED',
      `The bot's Postgres driver could not be installed; pip's last words: ${lastLines(error, 3)}`,
      { cause: error },
    );
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Removes what an install left that was killed before it could clean up. */
async function removeAbandoned(target: string): Promise<void> {
  const folder = dirname(target);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(target)}.partial-`)) continue;
    const path = join(folder, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

function lastLines(error: unknown, count: number): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  const lines = (stderr?.trim() || message).split('\n').map((line) => line.trim());
  return lines.filter(Boolean).slice(-count).join(' / ');
}
