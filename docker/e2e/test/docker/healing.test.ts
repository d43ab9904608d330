import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerOk, engineMissing } from './engine.ts';
import { eventually, Stack } from './stack.ts';

describe.skipIf(engineMissing)(
  `a bot that is ill comes back by itself${engineMissing ? ` (${engineMissing})` : ''}`,
  () => {
    const stack = new Stack('healing');
    const table: string[] = [];
    beforeAll(() => stack.compose('up', '--build', '--detach', '--wait', '--wait-timeout', '120'));
    afterAll(async () => {
      await stack[Symbol.asyncDispose]();
      process.stdout.write(`\n${table.join('\n')}\n`);
    });

    /**
     * From a hang to trading again: 3 s until a tick is stale or three probes have failed, with time-outs, and then
     * 15 s at most.
     */
    const WITHIN = 3_000 + 1_500 + 15_000;

    /** Waits until another boot trades than this one; gives how often the container was started for that. */
    async function back(what: string, instance: string, restarts: number, limit = WITHIN) {
      const started = performance.now();
      await eventually(
        'another boot of the bot trades',
        async () => {
          const { instance: now, trading, last_tick_at } = await stack.health();
          return now !== instance && trading === 'running' && last_tick_at !== null;
        },
        limit,
        100,
      );
      const seconds = (performance.now() - started) / 1000;
      const more = (await stack.state('bot')).restarts - restarts;
      table.push(
        `${what.padEnd(40)} trades again after ${seconds.toFixed(1).padStart(5)} s, ${more} restart(s)`,
      );
      return { seconds, restarts: more };
    }

    /** No verdict may hang over from the test before. */
    async function settled() {
      const instance = await stack.trading();
      await eventually(
        'the sidecar leaves the bot alone',
        async () => (await stack.sidecarStatus('/livez')) === 200,
      );
      await sleep(5000); // HEAL_COOLDOWN of these tests, in which nothing would be asked for
      return { instance, restarts: (await stack.state('bot')).restarts };
    }

    test.for<[string, string]>([
      ['its API hangs', 'hang'],
      ['its trading loop hangs, with the API up', 'stop-ticking'],
      ['its models are gone', 'unload-model'],
      ['it lost its database, which works', 'lose-database'],
    ])('%s', async ([what, mode]) => {
      const { instance, restarts } = await settled();
      const [positions = 0] = await stack.rows();
      expect(positions).toBeGreaterThan(0);
      await stack.misbehave(mode);
      expect((await back(what, instance, restarts)).restarts).toBe(1);
      const heals = (await stack.alerts()).filter(({ event }) => event === 'heal.verdict');
      expect(heals.length).toBeGreaterThan(0);
    });

    test.for<[string, string]>([
      ['it crashes', 'crash'],
      ['it runs out of memory', 'eat-memory'],
    ])('%s', async ([what, mode]) => {
      const { instance, restarts } = await settled();
      await stack.misbehave(mode);
      expect((await back(what, instance, restarts)).restarts).toBe(1);
    });

    test('it was stopped on purpose for long, and hangs when it is back: it is healed', async () => {
      await settled();
      const verdicts = async () =>
        (await stack.alerts()).filter(({ event }) => event === 'heal.verdict').length;
      const before = await verdicts();
      await stack.compose('stop', 'bot');
      // Twice as long as STARTUP_GRACE, after which a bot that nobody stopped would be given up.
      await sleep(40_000);
      expect(await verdicts()).toBe(before);
      const { instance, restarts } = await settled();
      await stack.misbehave('hang');
      expect((await back('stopped on purpose, and then it hangs', instance, restarts)).restarts).toBe(1);
    });

    test('it hangs and ignores SIGTERM: it is killed', async () => {
      const { instance, restarts } = await settled();
      await stack.misbehave('ignore-sigterm');
      await stack.misbehave('hang');
      expect((await back('it hangs and ignores SIGTERM', instance, restarts)).restarts).toBe(1);
    });

    test('five faults in a row cost five restarts, and no more', async () => {
      const { restarts } = await settled();
      for (const mode of ['hang', 'stop-ticking', 'unload-model', 'crash', 'hang']) {
        const { instance } = await settled();
        const before = (await stack.state('bot')).restarts;
        await stack.misbehave(mode);
        await back(`one of five in a row: ${mode}`, instance, before);
      }
      await sleep(10_000); // in which a flapping bot would be restarted again
      expect((await stack.state('bot')).restarts - restarts).toBe(5);
    });

    test('a slow start is not taken for a hang', async () => {
      await settled();
      // Longer than thresholds, ticks and cool-down of these tests, shorter than their STARTUP_GRACE.
      stack.set({ E2E_MODEL_LOAD_SECONDS: '14' });
      await stack.compose('up', '--detach', '--wait', '--wait-timeout', '120');
      expect((await stack.state('bot')).restarts).toBe(0);
      expect(await stack.sidecarStatus('/readyz')).toBe(200);
      stack.set({ E2E_MODEL_LOAD_SECONDS: '0' });
    });

    test('a database that is down is no reason', async () => {
      const { instance, restarts } = await settled();
      await stack.compose('kill', 'db');
      await eventually('the sidecar says so', async () => (await stack.sidecarStatus('/readyz')) === 503);
      await sleep(10_000); // many times the threshold
      expect(await stack.sidecarStatus('/livez')).toBe(200);
      expect(await stack.state('bot')).toMatchObject({ running: true, restarts });
      expect((await stack.health()).instance).toBe(instance);
      await stack.compose('start', 'db');
      // With the short thresholds of these tests a bot that is still at its last attempt to connect may be taken for one
      // that lost its database, which works again.
      await eventually('it is ready and trades again', async () => {
        const { trading, database } = await stack.health();
        const ready = (await stack.sidecarStatus('/readyz')) === 200;
        return ready && trading === 'running' && database === 'connected';
      });
    });

    test('a sidecar that is dead or hangs is no reason either', async () => {
      const { instance, restarts } = await settled();
      await dockerOk(['pause', stack.container('sidecar')]);
      await sleep(8000); // some polls of the gate
      await dockerOk(['unpause', stack.container('sidecar')]);
      await dockerOk(['kill', stack.container('sidecar')]);
      await sleep(8000);
      expect(await stack.state('bot')).toMatchObject({ running: true, restarts });
      expect((await stack.health()).instance).toBe(instance);
      await stack.compose('up', '--detach', '--wait', '--wait-timeout', '120');
      expect((await stack.health()).instance).toBe(instance);
    });

    test('a bot that ends at every start is started again and again, and comes up once it can', async () => {
      await settled();
      stack.set({ MISBEHAVE: 'exit-at-start' });
      // Compose gives up on the dashboard, which waits for a healthy bot.
      await stack.tryCompose('up', '--detach');
      await eventually('it was started again', async () => (await stack.state('bot')).restarts >= 2);
      stack.set({ MISBEHAVE: '' });
      await stack.trading();
    });

    test('past the cap it is left alone, and a person is asked for', async () => {
      // The sidecar remembers the restarts of the tests before: this one begins with an empty memory.
      await stack.compose('down', '--volumes');
      stack.set({ E2E_HEAL_MAX_PER_HOUR: '1' });
      const { instance, restarts } = await settled();
      await stack.misbehave('stop-ticking');
      await back('the one restart under the cap', instance, restarts);
      const second = await settled();
      await stack.misbehave('stop-ticking');
      const capped = await eventually('a person is asked for', async () =>
        (await stack.alerts()).find(({ event }) => event === 'heal.capped'),
      );
      expect(capped.severity).toBe('critical');
      await sleep(6000); // some polls of the gate
      expect(await stack.sidecarStatus('/livez')).toBe(200);
      expect(await stack.sidecarStatus('/healthz')).toBe(503);
      expect((await stack.state('bot')).restarts).toBe(second.restarts);
    });
  },
);
