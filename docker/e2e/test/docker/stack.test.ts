import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineAnswers, Stack } from '../support/stack.ts';

const engine = await engineAnswers();

describe.skipIf(!engine)('the stack of compose.yaml', () => {
  const stack = new Stack();
  beforeAll(() => stack.up());
  afterAll(() => stack.remove());

  it('is up and healthy, every service of it', async () => {
    for (const service of ['db', 'bot', 'sidecar'])
      expect((await stack.state(service)).status).toBe('running');
    expect(await stack.status('/readyz')).toBe(200);
    await stack.holding();
  });

  it('runs the model in PyTorch', async () => {
    const { stdout } = await stack.compose([
      'exec',
      '-T',
      'bot',
      'curl',
      '-fsS',
      'http://localhost:8000/models',
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      models: [{ name: 'signal', loaded: true, runtime: expect.stringMatching(/^torch 2\./) }],
    });
  });

  it('runs nothing of ours as root, nor with a capability or a writable root', async () => {
    for (const service of ['bot', 'sidecar']) {
      const said = await stack.compose([
        'exec',
        '-T',
        service,
        'sh',
        '-c',
        'id -u; grep CapEff /proc/self/status; touch /x 2>&1',
      ]);
      expect(said.stdout).toMatch(/^10001\nCapEff:\s+0000000000000000\n/);
      expect(said.stdout).toContain('Read-only file system');
    }
  });

  it('does not let anyone misbehave, as that was not asked for', async () => {
    await expect(stack.misbehave('hang')).rejects.toThrow(/404/);
  });

  it('leaves nothing open when it is stopped, and the sidecar says so: receipt flat, exit code 0', async () => {
    await stack.holding();
    const stopped = await stack.compose(['stop']);
    expect(stopped.code).toBe(0);
    expect(await stack.state('sidecar')).toEqual({ status: 'exited', exitCode: 0 });
    const receipts = await stack.receipts();
    expect(receipts.map(({ state, trigger }) => [state, trigger])).toEqual([
      ['started', 'SIGTERM'],
      ['flat', 'SIGTERM'],
    ]);
    await stack.compose(['start', 'db']);
    await stack.compose(['up', '--wait', '--no-deps', 'db']);
    expect(await stack.rows()).toEqual({ positions: 0, orders: 0 });
  });
});

describe.skipIf(!engine)('the same stack with a bot that cannot close', () => {
  const stack = new Stack({ ALLOW_MISBEHAVIOUR: '1', DRAIN_TIMEOUT: '8s' });
  beforeAll(() => stack.up());
  afterAll(() => stack.remove());

  it('says so when it is stopped: receipt not_flat with what is still open, exit code 3', async () => {
    await stack.holding();
    await stack.misbehave('fail-close');
    const before = await stack.rows();
    await stack.compose(['stop', 'sidecar']);
    expect(await stack.state('sidecar')).toEqual({ status: 'exited', exitCode: 3 });
    const receipts = await stack.receipts();
    const ended = receipts.at(-1);
    expect(ended).toMatchObject({ state: 'not_flat', trigger: 'SIGTERM' });
    expect(ended?.open_positions).toBeGreaterThan(0);
    expect(ended?.pending_orders).toBeGreaterThan(0);
    expect(before.positions + before.orders).toBeGreaterThan(0);
    expect((await stack.rows()).positions).toBeGreaterThan(0);
  });
});
