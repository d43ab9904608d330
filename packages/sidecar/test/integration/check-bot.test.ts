import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Finding } from '../../src/bot/finding.ts';
import type { Receipt } from '../../src/drain/receipts.ts';
import { type BotProcess, type RemoteBot, startBotProcess } from '../support/bot-process.ts';
import { startBot } from '../support/processes.ts';
import type { BotScript } from '../support/scripted-bot.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const TOKEN = 's3cret-of-the-bot';

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let bots: BotProcess;
beforeAll(() => {
  bots = startBotProcess();
});
afterAll(() => bots.end());

function checkBot(args: readonly string[], env: Record<string, string> = {}, input = ''): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, 'check-bot', ...args], {
    env: {
      PATH: process.env.PATH ?? '',
      BOT_TOKEN: TOKEN,
      PROBE_TIMEOUT: '500ms',
      DRAIN_TIMEOUT: '7s',
      CLOSE_TIMEOUT: '1s',
      ...env,
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

async function findings(script: BotScript, env: Record<string, string> = {}) {
  const bot = await bots.start({ token: TOKEN, ...script });
  const { code, stdout } = await checkBot([bot.url, '--json'], { BOT_MODELS_PATH: '', ...env });
  const told = JSON.parse(stdout) as { meets: boolean; findings: Finding[]; receipt: Receipt | null };
  const failed = told.findings.filter(({ outcome }) => outcome === 'fails');
  return { bot, code, ...told, failed };
}

const writes = async (bot: RemoteBot) => (await bot.look()).seen.filter(({ method }) => method !== 'GET');

it('finds that the reference bot meets the contract, and leaves it as it was', async () => {
  const bot = await startBot({ BOT_TOKEN: TOKEN });
  try {
    const { code, stdout, stderr } = await checkBot([bot.url]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('The bot meets the contract.');
    expect(stdout).not.toMatch(/FAIL|skip/);
    expect(await (await fetch(`${bot.url}/health`)).json()).toMatchObject({ trading: 'running' });
  } finally {
    await bot.end();
  }
});

it('never makes the close call to a bot that does not announce dry_run', async () => {
  const { bot, code, findings: all } = await findings({});
  expect(code).toBe(0);
  expect(await writes(bot)).toEqual([]);
  expect(all).toContainEqual(expect.objectContaining({ call: 'POST /close-positions', outcome: 'skipped' }));
});

it.each<[string, BotScript, string]>([
  ['health has another shape', { health: [{ do: 'json', json: { up: true } }] }, 'GET /health'],
  ['health is not ok', { health: [{ do: 'json', json: { status: 'degraded' } }] }, 'GET /health'],
  [
    'its last tick is old',
    { health: [{ do: 'json', json: { status: 'ok', last_tick_at: '2020-01-01T00:00:00Z' } }] },
    'GET /health',
  ],
  [
    'its boot changes from call to call',
    { health: ['a', 'b', 'c', 'd'].map((instance) => ({ do: 'json', json: { status: 'ok', instance } })) },
    'GET /health',
  ],
  ['its close call is not authorised', { dryRun: true, token: 'another' }, 'POST /close-positions'],
])('fails a bot where %s', async (_, script, call) => {
  const { code, meets, failed } = await findings(script);
  expect([code, meets]).toEqual([1, false]);
  expect(failed.map((finding) => finding.call)).toContain(call);
});

it('fails a bot whose models are not there, and one that is not there at all', async () => {
  expect((await findings({}, { BOT_MODELS_PATH: '/models' })).failed[0]?.call).toBe('GET /models');
  expect((await checkBot(['http://127.0.0.1:1'])).code).toBe(1);
});

it('warns of a close call that asks for no token', async () => {
  const bot = await bots.start({ dryRun: true });
  const { stdout, code } = await checkBot([bot.url], { BOT_MODELS_PATH: '' });
  expect(code).toBe(0);
  expect(stdout).toContain('anyone who reaches the bot');
});

it('tells no credential', async () => {
  const { code, stdout, stderr } = await checkBot(['http://trader:hunter2@127.0.0.1:1']);
  expect(code).toBe(1);
  expect(stdout + stderr).not.toMatch(/hunter2|s3cret/);
});

it('drains in a drill, when told yes', async () => {
  const bot = await bots.start({ token: TOKEN });
  const { code, stdout, stderr } = await checkBot([bot.url, '--drill'], { BOT_MODELS_PATH: '' }, 'yes\n');
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Drain flat') });
  expect(stdout).toContain('"state":"flat"');
  expect(await bot.look()).toMatchObject({ open: 0, pending: 0, halted: true });
});

it.each(['no\n', '\n', '', 'y\n', 'yes please\n'])('does not drain when told %j', async (answer) => {
  const bot = await bots.start({ token: TOKEN });
  const { code } = await checkBot([bot.url, '--drill'], { BOT_MODELS_PATH: '' }, answer);
  expect(code).toBe(2);
  expect(await writes(bot)).toEqual([]);
});

it('fails a bot that does not pass the drill, and shows the receipt', async () => {
  const bot = await bots.start({ token: TOKEN, close: [{ do: 'lie' }] });
  const { code, stdout } = await checkBot([bot.url, '--drill', '--yes', '--json'], { BOT_MODELS_PATH: '' });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    meets: false,
    receipt: { state: 'not_flat', open_positions: 2, pending_orders: 1 },
  });
});

it.each([
  [[]],
  [['a', 'b']],
  [['http://bot:8000', '--yes']],
  [['http://bot:8000', '--force']],
  [['bot:8000']],
])('refuses the command line %j', async (args) => {
  expect((await checkBot(args)).code).toBe(2);
});
