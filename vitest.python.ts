import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = path.join(import.meta.dirname, 'node_modules/.cache/botwarden');
const made = new Map<string, Promise<string>>();

/**
 * The interpreter of a virtual environment with what a requirements file lists; made once, below node_modules/.cache.
 * Start what it has as `python -m name`: the environment was moved after it was made, so its scripts do not run.
 *
 * Safe to run twice at once, and to interrupt: an environment becomes visible only when it is whole.
 */
export function pythonEnvironment(requirements: string): Promise<string> {
  const known = made.get(requirements);
  if (known !== undefined) return known;
  const making = make(requirements);
  made.set(requirements, making);
  return making;
}

async function make(requirements: string): Promise<string> {
  const describe = 'import sys, sysconfig; print(sys.executable, sys.version, sysconfig.get_platform())';
  const { stdout } = await run('python3', ['-c', describe]);
  const [base = ''] = stdout.split(' ');
  const fingerprint = createHash('sha256')
    .update(stdout)
    .update(await readFile(requirements))
    .digest('hex');
  const environment = path.join(cache, `python-${fingerprint.slice(0, 12)}`);
  const python = path.join(environment, 'bin/python');
  if (await exists(python)) return python;

  const partial = `${environment}.partial-${randomUUID()}`;
  await mkdir(cache, { recursive: true });
  try {
    // Without its own pip, which Debian keeps in a package apart: the machine's installs into it as well.
    await run(base, ['-m', 'venv', '--without-pip', partial]);
    const into = ['-m', 'pip', '--python', path.join(partial, 'bin/python')];
    const quietly = ['--quiet', '--no-input', '--disable-pip-version-check'];
    await run(
      base,
      [...into, 'install', ...quietly, '--only-binary', ':all:', '--requirement', requirements],
      {
        env: { ...process.env, PIP_USER: '0' },
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    await rename(partial, environment).catch(async (error: unknown) => {
      // Another one was first.
      if (!(await exists(python))) throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return python;
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
