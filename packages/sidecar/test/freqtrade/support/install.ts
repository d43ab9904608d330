import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = new URL('../../../../../', import.meta.url).pathname;

/** The release that the tests are run with, and what FreqAI needs beside it. */
export const FREQTRADE = '2026.9';
const REQUIREMENTS = [`freqtrade==${FREQTRADE}`, 'datasieve==0.1.9', 'scikit-learn==1.9.1'];

/** A Python with freqtrade. */
export interface Python {
  readonly command: string;
  /** The folder with freqtrade and all that it needs, for PYTHONPATH. */
  readonly packages: string;
}

/**
 * Installs freqtrade with pip, once, below node_modules/.cache. Safe to run twice at once, and to interrupt: an install
 * becomes visible only when it is whole.
 */
export async function installFreqtrade(): Promise<Python> {
  const { command, tag } = await python();
  const fingerprint = createHash('sha256').update(REQUIREMENTS.join()).digest('hex').slice(0, 12);
  const packages = join(ROOT, 'node_modules/.cache/botwarden', `freqtrade-${tag}-${fingerprint}`);
  if (existsSync(packages)) return { command, packages };
  const partial = `${packages}.partial-${process.pid}`;
  await mkdir(partial, { recursive: true });
  try {
    const quietly = ['--quiet', '--no-input', '--disable-pip-version-check', '--prefer-binary'];
    await run(command, ['-m', 'pip', 'install', ...quietly, '--target', partial, ...REQUIREMENTS], {
      env: { ...process.env, PIP_USER: '0' },
      maxBuffer: 64 * 1024 * 1024,
    });
    await rename(partial, packages).catch((error: unknown) => {
      if (!existsSync(packages)) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return { command, packages };
}

/** freqtrade needs Python 3.11. */
async function python(): Promise<{ command: string; tag: string }> {
  const describe =
    'import sys; print(sys.executable, sys.version_info >= (3, 11), sys.implementation.cache_tag)';
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11']) {
    const { stdout } = await run(name, ['-c', describe]).catch(() => ({ stdout: '' }));
    const [command, recent, tag] = stdout.trim().split(' ');
    if (command !== undefined && recent === 'True' && tag !== undefined) return { command, tag };
  }
  throw new Error('the tests with freqtrade need Python 3.11 or newer on the PATH');
}

/** Before the tests: they are not to wait for the network. */
export default async function setup(): Promise<void> {
  await installFreqtrade();
}
