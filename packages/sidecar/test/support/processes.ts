import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, listening, type Running, start } from '@botwarden/service/testing';
import { answersAs } from '@botwarden/service/testing/described';
import { parse } from 'yaml';
import { botOpenApi } from '../../src/bot/contract.ts';

export { freePort, type Running, until } from '@botwarden/service/testing';

const ROOT = new URL('../../../../', import.meta.url).pathname;
/** The program. */
export const MAIN = join(ROOT, 'packages/sidecar/src/main.ts');

const OPENAPI = parse(readFileSync(join(ROOT, 'packages/sidecar/openapi.yaml'), 'utf8'));

/** The sidecar, as it runs in production: the program itself, configured by its environment. */
export async function startSidecar(env: Record<string, string>): Promise<Running & { receipts: string }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'botwarden-sidecar-'));
  const receipts = env.DRAIN_LOG ?? join(folder, 'drains.jsonl');
  const running = start(process.execPath, [MAIN], {
    cwd: ROOT,
    env: { HOST: '127.0.0.1', PORT: String(port), DRAIN_LOG: receipts, ...env },
    url: `http://127.0.0.1:${port}`,
  });
  void running.exited.then(() => rmSync(folder, { recursive: true, force: true }));
  answersAs(running.url, OPENAPI, running.exited);
  await listening(running);
  return { ...running, receipts };
}

/** The reference bot, with its switches allowed. */
export async function startBot(env: Record<string, string> = {}): Promise<Running> {
  const port = env.PORT ?? String(await freePort());
  const running = start('python3', ['-m', 'bot'], {
    cwd: join(ROOT, 'docker/bot'),
    env: { HOST: '127.0.0.1', PORT: port, BOT_TICK_INTERVAL: '0.1', ALLOW_MISBEHAVIOUR: '1', ...env },
    url: `http://127.0.0.1:${port}`,
  });
  answersAs(running.url, botOpenApi(), running.exited);
  await listening(running);
  return running;
}

/** Makes the reference bot misbehave. */
export async function misbehave(bot: Running, mode: string): Promise<void> {
  const response = await fetch(`${bot.url}/misbehave`, { method: 'POST', body: JSON.stringify({ mode }) });
  if (!response.ok)
    throw new Error(`the bot refused to ${mode}: ${response.status} ${await response.text()}`);
}

/** The status and the parsed body of a GET. */
export async function get(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
