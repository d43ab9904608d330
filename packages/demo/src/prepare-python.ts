import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DemoError } from './failure.ts';
import { lastWords } from './log-file.ts';
import { start } from './processes.ts';
import type { Python } from './python.ts';
import type { Reaper } from './reaper.ts';
import { aborted } from './stack.ts';

/** Beside the packages, so that it is installed once and goes with the checkout. */
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/botwarden-demo', import.meta.url));
/** For pip to give up and tidy up, in milliseconds. */
const GRACE_MS = 5_000;

/**
 * Finds a Python for the bot, in a process of its own that ends when `signal` aborts.
 *
 * @throws {DemoError} with what is missing and what to do.
 */
export async function preparePython(
  { folder, pipe }: Reaper,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Python> {
  const found = `${folder}/python.json`;
  const log = `${folder}/python.log`;
  const output = openSync(log, 'a');
  const running = start(
    {
      name: 'python',
      command: process.execPath,
      args: [fileURLToPath(new URL('./programs/python.ts', import.meta.url))],
      // pip is configured by the environment, so this one process gets all of it.
      env: { ...defined(env), TMPDIR: folder, DEMO_PYTHON_CACHE: CACHE, DEMO_PYTHON_FOUND: found },
      cwd: '/',
      graceMs: GRACE_MS,
    },
    pipe,
    output,
  );
  try {
    const { code } = await Promise.race([running.exit, aborted(signal)]);
    if (code === 0) return JSON.parse(await readFile(found, 'utf8'));
    const why = await lastWords(log);
    throw new DemoError('PYTHON_UNUSABLE', why ?? 'Looking for Python failed without a word.');
  } finally {
    await running.stop();
    closeSync(output);
  }
}

const defined = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
