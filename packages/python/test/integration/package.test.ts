import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
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
  expect(Number(/^(\d+) passed/m.exec(output)?.[1]), output).toBeGreaterThan(0);
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
