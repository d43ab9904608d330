import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { botFolder, findPython } from '../../src/python.ts';

// A python3 of the tests' own, as a shell script: it says of itself what FAKE_* tells it to, takes psycopg for
// installed where the first folder of PYTHONPATH holds it, and has a pip that writes down each install.
const FAKE = `#!/bin/sh
case "$*" in
  *sys.version_info*) echo "[\\"$0\\", $FAKE_VERSION, \\"fake linux\\"]" ;;
  *'import psycopg'*)
    [ "$FAKE_PSYCOPG" = yes ] || [ -e "\${PYTHONPATH%%:*}/psycopg" ] || { echo 'ModuleNotFoundError' >&2; exit 1; } ;;
  '-m pip --version') [ "$FAKE_PIP" != missing ] || { echo 'No module named pip' >&2; exit 1; } ;;
  '-m pip install'*)
    echo install >>"$FAKE_JOURNAL"
    target=$(echo "$*" | sed 's/.*--target \\([^ ]*\\) .*/\\1/')
    mkdir -p "$target"
    case $FAKE_PIP in
      fails) printf 'one\\nERROR: no network\\n' >&2; exit 1 ;;
      hangs) exec sleep 60 ;;
      empty) exit 0 ;;
    esac
    while [ -n "$FAKE_MEET" ] && [ "$(wc -l <"$FAKE_JOURNAL")" -lt 2 ]; do sleep 0.05; done
    echo >"$target/psycopg" ;;
  *) exit 64 ;;
esac
`;

let folder: string;
let env: NodeJS.ProcessEnv;
let cacheDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'python-'));
  cacheDir = join(folder, 'cache');
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'python3'), FAKE);
  await chmod(join(folder, 'bin', 'python3'), 0o755);
  env = {
    PATH: [join(folder, 'bin'), '/usr/bin', '/bin'].join(delimiter),
    FAKE_VERSION: '[3, 12, 4]',
    FAKE_JOURNAL: join(folder, 'journal'),
  };
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const installs = async (): Promise<number> =>
  (await readFile(join(folder, 'journal'), 'utf8').catch(() => '')).split('install').length - 1;

const cached = (): Promise<string[]> => readdir(cacheDir).catch(() => []);

describe('findPython', () => {
  test('gives the interpreter and finds the bot from any folder when psycopg is installed', async () => {
    const python = await findPython({ cacheDir, env: { ...env, FAKE_PSYCOPG: 'yes', PYTHONPATH: '/own' } });
    expect(python).toEqual({
      command: join(folder, 'bin', 'python3'),
      env: { PYTHONPATH: [botFolder, '/own'].join(delimiter) },
    });
    expect(await installs()).toBe(0);
    expect(await cached()).toEqual([]);
  });

  test('installs psycopg once, into the cache, and finds it there the next time', async () => {
    const first = await findPython({ cacheDir, env });
    const [name] = await cached();
    expect(name).toMatch(/^python-3\.12\.4-[0-9a-f]{12}$/);
    expect(first.env.PYTHONPATH).toBe([join(cacheDir, name ?? ''), botFolder].join(delimiter));
    expect(await findPython({ cacheDir, env })).toEqual(first);
    expect(await installs()).toBe(1);
  });

  test('gives both a complete install when two look at the same time', async () => {
    const both = { ...env, FAKE_MEET: 'yes' };
    const [one, other] = await Promise.all([
      findPython({ cacheDir, env: both }),
      findPython({ cacheDir, env: both }),
    ]);
    expect(one).toEqual(other);
    expect(await installs()).toBe(2);
    expect(await cached()).toHaveLength(1);
  });

  test('leaves nothing half-done when it is interrupted, and installs anew after that', async () => {
    const abort = new AbortController();
    const interrupted = findPython({ cacheDir, env: { ...env, FAKE_PIP: 'hangs' }, signal: abort.signal });
    interrupted.catch(() => undefined);
    await expect.poll(cached).toHaveLength(1);
    abort.abort();
    await expect(interrupted).rejects.toThrow(/abort/i);
    expect(await cached()).toEqual([]);
    await findPython({ cacheDir, env });
    expect(await cached()).toHaveLength(1);
  });

  test('replaces an install that cannot be imported and clears away one that was abandoned', async () => {
    await findPython({ cacheDir, env });
    const [name = ''] = await cached();
    await rm(join(cacheDir, name, 'psycopg'));
    const abandoned = join(cacheDir, `${name}.partial-1`);
    const fresh = join(cacheDir, `${name}.partial-2`);
    for (const path of [abandoned, fresh]) await mkdir(path);
    await utimes(abandoned, 0, 0);
    await findPython({ cacheDir, env });
    expect((await cached()).sort()).toEqual([name, `${name}.partial-2`]);
  });

  test('says in one sentence that python3 is missing', async () => {
    await mkdir(join(folder, 'nothing'));
    await expect(findPython({ cacheDir, env: { PATH: join(folder, 'nothing') } })).rejects.toMatchObject({
      name: 'PythonError',
      code: 'PYTHON_MISSING',
      message: expect.stringMatching(
        /^The bot needs Python 3\.10 or newer, but no python3 .*install it.*\.$/,
      ),
    });
  });

  test('takes a python3 that does not run for a missing one', async () => {
    await writeFile(join(folder, 'bin', 'python3'), '#!/bin/sh\nexit 127\n');
    await expect(findPython({ cacheDir, env: { PATH: join(folder, 'bin') } })).rejects.toMatchObject({
      code: 'PYTHON_MISSING',
    });
  });

  test('says which python3 is too old', async () => {
    await expect(findPython({ cacheDir, env: { ...env, FAKE_VERSION: '[3, 9, 18]' } })).rejects.toMatchObject(
      {
        code: 'PYTHON_TOO_OLD',
        message: expect.stringContaining(`${join(folder, 'bin', 'python3')} is Python 3.9.18`),
      },
    );
  });

  test('says that pip is missing', async () => {
    await expect(findPython({ cacheDir, env: { ...env, FAKE_PIP: 'missing' } })).rejects.toMatchObject({
      code: 'PIP_MISSING',
      message: expect.stringContaining('has no pip: install pip'),
    });
  });

  test('gives the last words of a pip that failed, and leaves nothing behind', async () => {
    await expect(findPython({ cacheDir, env: { ...env, FAKE_PIP: 'fails' } })).rejects.toMatchObject({
      code: 'PIP_FAILED',
      message: expect.stringContaining('one / ERROR: no network'),
    });
    expect(await cached()).toEqual([]);
  });

  test('says so when what pip installed cannot be imported', async () => {
    await expect(findPython({ cacheDir, env: { ...env, FAKE_PIP: 'empty' } })).rejects.toMatchObject({
      code: 'PSYCOPG_UNUSABLE',
      message: expect.stringContaining('cannot be imported: ModuleNotFoundError'),
    });
  });

  test('gives a Python of this machine that imports the bot and psycopg', async () => {
    const python = await findPython({
      cacheDir: join(import.meta.dirname, '../../../../node_modules/.cache/botwarden'),
    });
    const { stdout } = await promisify(execFile)(
      python.command,
      ['-c', 'import psycopg, bot; print("both")'],
      {
        env: { ...process.env, ...python.env },
        cwd: folder,
      },
    );
    expect(stdout.trim()).toBe('both');
  });
});
