import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MAIN } from '../support/processes.ts';
import { wrongs } from './support/ledger.ts';
import { type Freqtrade, PASSWORD, startFreqtrade, USERNAME } from './support/program.ts';

let freqtrade: Freqtrade;
beforeAll(async () => {
  freqtrade = await startFreqtrade({ script: { enter: ['BTC/USDT', 'ETH/USDT'] } });
  await freqtrade.opened(2);
  await freqtrade.iterated(1);
});
afterAll(() => freqtrade?.end());

function checkBot(args: readonly string[], env: Record<string, string> = {}) {
  const credentials = { BOT_ADAPTER: 'freqtrade', BOT_USERNAME: USERNAME, BOT_PASSWORD: PASSWORD, ...env };
  const child = spawn(process.execPath, [MAIN, 'check-bot', ...args], {
    env: { PATH: process.env.PATH ?? '', ...credentials },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end();
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  );
}

it('speaks of freqtrade’s own calls, and changes nothing', async () => {
  const { code, stdout, stderr } = await checkBot([freqtrade.url]);
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('GET /api/v1/status, GET /api/v1/count');
  expect(stdout).toContain('POST /api/v1/stopentry, POST /api/v1/forceexit');
  expect(stdout).toContain('The bot meets the contract.');
  expect(stdout).not.toMatch(/FAIL|warn|SuperSecret/);
  expect((await freqtrade.call('GET', '/show_config')).body).toMatchObject({ state: 'running' });
  expect(freqtrade.ledger().trades.filter(({ open }) => open)).toHaveLength(2);
});

it('names a wrong password, and what it is not', async () => {
  const { code, stdout } = await checkBot([freqtrade.url], { BOT_PASSWORD: 'wrong-password' });
  expect(code).toBe(1);
  expect(stdout).toContain('api_server.username and api_server.password');
  expect(stdout).not.toContain('wrong-password');
});

it('says what to look at where no freqtrade answers', async () => {
  const { code, stdout } = await checkBot(['http://127.0.0.1:1']);
  expect(code).toBe(1);
  expect(stdout).toContain('is api_server.enabled true');
});

it('closes everything in a drill', async () => {
  const { code, stdout, stderr } = await checkBot([freqtrade.url, '--drill', '--yes']);
  expect(code, stdout + stderr).toBe(0);
  expect(wrongs(freqtrade.ledger())).toEqual([]);
});

it('warns of a freqtrade that is paused', async () => {
  const { code, stdout } = await checkBot([freqtrade.url]);
  expect(code).toBe(0);
  expect(stdout).toContain('its state is paused: it opens no trades before /start');
});
