import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { pythonEnvironment } from '../../../../vitest.python.ts';

const folder = path.join(import.meta.dirname, '../..');

let python: string;
beforeAll(async () => {
  python = await pythonEnvironment(path.join(folder, 'test/requirements.txt'));
}, 300_000);

/** Runs a tool in the package's folder; it leaves nothing there. */
function check(...args: string[]): Promise<{ status: number; output: string }> {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', NO_COLOR: '1' };
  return new Promise((resolve) => {
    execFile(python, args, { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
    );
  });
}

test('ruff has nothing to say about the Python sources', async () => {
  const { status, output } = await check('-m', 'ruff', 'check', '--no-cache');
  expect(status, output).toBe(0);
});

test('ruff would format the Python sources as they are', async () => {
  const { status, output } = await check('-m', 'ruff', 'format', '--no-cache', '--diff');
  expect(status, output).toBe(0);
});

test('mypy --strict has nothing to say about the Python sources', async () => {
  const { status, output } = await check('-m', 'mypy', '--cache-dir', '/dev/null');
  expect(status, output).toBe(0);
  expect(output).toMatch(/Success: no issues found in [1-9]\d* source files/);
}, 120_000);

test("the package's own tests pass", async () => {
  const { status, output } = await check('-m', 'pytest');
  expect(status, output).toBe(0);
  expect(output).not.toMatch(/skipped|xfailed/);
  expect(Number(/^(\d+) passed/m.exec(output)?.[1]), output).toBeGreaterThan(250);
}, 300_000);

test('it has the version of every package that is published', async () => {
  const packages = path.join(folder, '..');
  const versions = new Map<string, string>();
  for (const name of readdirSync(packages)) {
    let text: string;
    try {
      text = readFileSync(path.join(packages, name, 'package.json'), 'utf8');
    } catch {
      continue; // Not one of npm's.
    }
    const { private: kept, version } = JSON.parse(text);
    if (kept !== true) versions.set(name, version);
  }
  expect(versions.size).toBeGreaterThan(1);
  const own = /^version = "(.*)"$/m.exec(readFileSync(path.join(folder, 'pyproject.toml'), 'utf8'))?.[1];
  for (const [name, version] of versions) expect(version, name).toBe(own);
});

test('what is packed and installed is the gate, its types, and no test', async () => {
  const run = promisify(execFile);
  const temporary = mkdtempSync(path.join(tmpdir(), 'botwarden-package-'));
  try {
    const build = 'import sys, flit_core.buildapi; print(flit_core.buildapi.build_wheel(sys.argv[1]))';
    const { stdout: wheel } = await run(python, ['-c', build, temporary], { cwd: folder });
    const venv = path.join(temporary, 'venv');
    await run('python3', ['-m', 'venv', '--without-pip', venv]);
    const quietly = ['--quiet', '--no-input', '--disable-pip-version-check', '--no-index', '--no-deps'];
    const into = ['-m', 'pip', '--python', path.join(venv, 'bin/python'), 'install', ...quietly];
    await run('python3', [...into, path.join(temporary, wheel.trim())]);
    const list =
      'import importlib.metadata as m; print(*(f for f in m.files("botwarden") if f.suffix != ".pyc"), sep="\\n")';
    const files = (await run(path.join(venv, 'bin/python'), ['-c', list])).stdout.split('\n');
    expect(files.filter((file) => !file.includes('.dist-info/')).sort()).toEqual([
      '',
      '../../../bin/hold-until-flat',
      'botwarden/__init__.py',
      'botwarden/gate.py',
      'botwarden/py.typed',
    ]);
    const { stdout } = await run(
      path.join(venv, 'bin/hold-until-flat'),
      ['sh', '-c', 'echo $BOTWARDEN_BOOT'],
      {
        env: { PATH: process.env.PATH ?? '', SIDECAR_URL: '' },
      },
    );
    expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    const imported =
      'import sys, botwarden.gate; print([name for name in ("threading", "asyncio", "subprocess", "ssl", "urllib", "typing") if name in sys.modules])';
    expect(
      (
        await run(path.join(venv, 'bin/python'), ['-S', '-c', imported], {
          env: { PYTHONPATH: path.join(folder, 'src') },
        })
      ).stdout,
    ).toBe('[]\n');
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}, 120_000);
