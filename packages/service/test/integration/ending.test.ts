import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { start, until } from '../support/processes.ts';

const STUCK = new URL('../support/stuck.ts', import.meta.url).pathname;

it('a process ends with its code although one of its threads is stuck in the kernel', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-ending-'));
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  const running = start(process.execPath, [STUCK, pipe], { cwd: folder, env: {}, url: '' });
  onTestFinished(async () => {
    await running.end();
    rmSync(folder, { recursive: true });
  });
  await until('a thread is stuck', () => running.output().includes('stuck'));
  running.child.kill('SIGTERM');
  await until('it has ended', () => running.child.exitCode !== null);
  expect(await running.exited).toBe(3);
});
