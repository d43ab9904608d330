import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type LocalPostgres, startLocalPostgres } from '@botwarden/local-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { botFolder, findPython } from '../../../../packages/demo/src/python.ts';

const cacheDir = join(import.meta.dirname, '../../../../node_modules/.cache/botwarden');

let postgres: LocalPostgres;
beforeAll(async () => {
  postgres = await startLocalPostgres();
});
afterAll(() => postgres?.remove());

test("the bot's own tests pass against a real Postgres, none of them skipped for lack of it", async () => {
  const python = await findPython({ cacheDir });
  const { status, output } = await unittest(python.command, {
    ...process.env,
    ...python.env,
    TEST_DATABASE_URL: postgres.url,
  });
  expect(status, output).toBe(0);
  expect(Number(/^Ran (\d+) tests/m.exec(output)?.[1])).toBeGreaterThan(50);
  const skipped = [...output.matchAll(/skipped [`'"](.*)[`'"]$/gm)].map(([, why]) => why);
  for (const why of skipped) expect(why).toMatch(/^torch is (not )?installed$/);
}, 300_000);

function unittest(command: string, env: NodeJS.ProcessEnv): Promise<{ status: number; output: string }> {
  const args = [
    '-m',
    'unittest',
    'discover',
    '--verbose',
    '--start-directory',
    'tests',
    '--top-level-directory',
    '.',
  ];
  return new Promise((resolve) => {
    execFile(command, args, { cwd: botFolder, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? 1), output: `${stdout}${stderr}` }),
    );
  });
}
