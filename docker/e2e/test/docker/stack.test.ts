import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineMissing } from './engine.ts';
import { Stack } from './stack.ts';

// compose.yaml as it is, and what the README says of it.
describe.skipIf(engineMissing)(
  `one command, and SIGTERM leaves it flat${engineMissing ? ` (${engineMissing})` : ''}`,
  () => {
    const stack = new Stack('plain', ['compose.yaml']);
    stack.set({ ALLOW_MISBEHAVIOUR: '1' });
    beforeAll(() => stack.compose('up', '--build', '--detach', '--wait', '--wait-timeout', '120'));
    afterAll(() => stack[Symbol.asyncDispose]());

    test('`up --build --wait` brings up database, bot, sidecar and dashboard, healthy', async () => {
      for (const service of ['db', 'bot', 'sidecar', 'dashboard'] as const)
        expect(await stack.state(service)).toMatchObject({ running: true, health: 'healthy', restarts: 0 });
      expect(await stack.sidecarStatus('/readyz')).toBe(200);
    });

    test('the page is on loopback of the host, and nothing else is published', async () => {
      const page = await fetch('http://127.0.0.1:9500/');
      expect(page.status).toBe(200);
      expect(await page.text()).toContain('bot');
      const ports = await stack.compose('ps', '--format', '{{.Ports}}');
      expect(ports.match(/\S+->\S+/g)).toEqual(['127.0.0.1:9500->9500/tcp']);
    });

    test('`compose stop` closes every position: receipt flat, exit code 0, no row left open', async () => {
      const instance = await stack.trading();
      await stack.compose('stop');
      expect(await stack.lastReceipt()).toMatchObject({
        state: 'flat',
        trigger: 'SIGTERM',
        bot_instance: instance,
        open_positions: 0,
        pending_orders: 0,
      });
      expect(await stack.state('sidecar')).toMatchObject({ running: false, exitCode: 0 });
      expect(await stack.state('bot')).toMatchObject({ running: false, exitCode: 0 });
      expect(await stack.rowsAfterwards()).toEqual([0, 0]);
    });

    test('a bot that cannot close: exit code 3, and a receipt that says what is still open', async () => {
      stack.set({ MISBEHAVE: 'fail-close', DRAIN_TIMEOUT: '12s' });
      await stack.trading();
      const open = await stack.rows();
      await stack.compose('stop', 'sidecar');
      expect(await stack.state('sidecar')).toMatchObject({ running: false, exitCode: 3 });
      const [positions, orders] = await stack.rows();
      expect(await stack.lastReceipt()).toMatchObject({
        state: 'not_flat',
        open_positions: positions,
        pending_orders: orders,
      });
      expect(positions).toBeGreaterThan(0);
      expect(orders).toBe(open[1]);
    });
  },
);
