import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, listening, type Running, start } from '@botwarden/service/testing';
import { answersAs } from '@botwarden/service/testing/described';
import { openApi } from '../../src/http/openapi.ts';

export { freePort, type Running, until } from '@botwarden/service/testing';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const SIDECAR = JSON.parse(
  readFileSync(join(ROOT, 'packages/sidecar/src/http/openapi.json'), 'utf8'),
) as object;

async function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
  document?: object,
): Promise<Running> {
  const running = start(command, args, { cwd, env, url: `http://127.0.0.1:${env.PORT}` });
  if (document !== undefined) answersAs(running.url, document, running.exited);
  await listening(running);
  return running;
}

/** The dashboard, as it runs in production: the program itself, configured by its environment. */
export async function startDashboard(env: Readonly<Record<string, string>>): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  return run(
    process.execPath,
    [join(ROOT, 'packages/dashboard/src/main.ts')],
    { PORT: port, PROBE_INTERVAL: '300ms', PROBE_TIMEOUT: '250ms', ...env },
    ROOT,
    openApi(),
  );
}

/** A real sidecar. */
export async function startSidecar(env: Readonly<Record<string, string>>): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-sidecar-'));
  const running = await run(
    process.execPath,
    [join(ROOT, 'packages/sidecar/src/main.ts')],
    {
      HOST: '127.0.0.1',
      PORT: port,
      DRAIN_LOG: join(folder, 'drains.jsonl'),
      PROBE_INTERVAL: '300ms',
      PROBE_TIMEOUT: '250ms',
      ...env,
    },
    ROOT,
    SIDECAR,
  );
  void running.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  return running;
}

/** The reference bot, with its switches allowed. */
export async function startBot(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  return run(
    'python3',
    ['-m', 'bot'],
    {
      HOST: '127.0.0.1',
      PORT: port,
      BOT_TICK_INTERVAL: '0.1',
      ALLOW_MISBEHAVIOUR: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      ...env,
    },
    join(ROOT, 'docker/bot'),
  );
}

/** Makes the reference bot misbehave; `none` makes it behave again. */
export async function misbehave(bot: Running, mode: string, seconds?: number): Promise<void> {
  const response = await fetch(`${bot.url}/misbehave`, {
    method: 'POST',
    body: JSON.stringify(seconds === undefined ? { mode } : { mode, seconds }),
  });
  if (!response.ok)
    throw new Error(`the bot refused to ${mode}: ${response.status} ${await response.text()}`);
}
