import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { tool } from '../../../../vitest.tools.ts';
import type { Report } from '../../src/report.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const run = promisify(execFile);

// Whether it runs, and never how fast: what the figures are is for a machine that does nothing else.
test.runIf(tool('wrk') !== undefined)(
  'the bench runs every part that needs no engine, and writes what it found',
  {
    timeout: 400_000,
  },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'botwarden-bench-test-'));
    const file = join(folder, 'report.json');
    try {
      const { stdout } = await run(process.execPath, [MAIN, '--quick', '--json', file]);
      const { parts } = JSON.parse(readFileSync(file, 'utf8')) as Report;
      expect(Object.keys(parts)).toEqual([
        'endpoint',
        'extra',
        'start',
        'memory',
        'drain',
        'fault',
        'probes',
        'gate',
      ]);
      for (const [name, { figures }] of Object.entries(parts)) {
        for (const { what, value, note } of figures) {
          expect(value !== null || note !== undefined, `${name}: ${what}`).toBe(true);
          expect(stdout).toContain(what);
        }
      }
      const failed = parts.endpoint?.figures.find(({ what }) => what === 'answers that were not 200');
      expect(failed?.value).toBe(0);
      const names = parts.endpoint?.table?.map(([name]) => name);
      for (const peer of ['@godaddy/terminus', '@nestjs/terminus', '@fastify/under-pressure', 'lightship'])
        expect(names).toContainEqual(expect.stringContaining(peer));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

test('a part that the bench does not have is refused, with those it has', async () => {
  const refused = run(process.execPath, [MAIN, 'speed']);
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no part speed; it has endpoint'),
  });
});
