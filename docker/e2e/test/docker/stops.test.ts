import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { docker, dockerOk, engineMissing } from './engine.ts';
import { ended, eventually, Stack } from './stack.ts';

/** Words by which the moments of a stop are known in the logs. */
const moments = {
  'gate: stop asked for': 'stop asked for. The bot is held',
  'sidecar: flat': '"state":"flat"',
  'gate: closes by itself': 'The bot is closed through its own API',
  'gate: flat': 'hold-until-flat: flat.',
  'bot: SIGTERM': 'SIGTERM came.',
};

/**
 * The bot got its signal, and not before it was flat. The two streams of one container may come in either order. A
 * sidecar that is restarted at the same moment may be away: then the gate closes by itself, and the sidecar proves flat
 * whenever it does.
 */
function expectHeld(order: readonly string[]) {
  expect(order).toContain('bot: SIGTERM');
  expect(order).toContain('gate: flat');
  if (order.includes('sidecar: flat') && !order.includes('gate: closes by itself'))
    expect(order.indexOf('sidecar: flat')).toBeLessThan(order.indexOf('bot: SIGTERM'));
}

describe.skipIf(engineMissing)(
  `every way to stop it, on a real engine${engineMissing ? ` (${engineMissing})` : ''}`,
  () => {
    const stack = new Stack('stops');
    const table: string[] = [];
    beforeAll(() => stack.compose('up', '--build', '--detach', '--wait', '--wait-timeout', '120'));
    afterAll(async () => {
      await stack[Symbol.asyncDispose]();
      process.stdout.write(`\n${table.join('\n')}\n`);
    });

    /**
     * Does what a person does to a boot of the bot that holds positions, and tells what became of it. Without `boot` one
     * is brought up first.
     */
    async function stopping(what: string, act: () => Promise<unknown>, boot?: string) {
      const instance = boot ?? (await stack.trading());
      const before = await stack.rows();
      const follower = stack.follow();
      const started = performance.now();
      await act();
      const seconds = (performance.now() - started) / 1000;
      if ((await stack.state('db').catch(() => undefined))?.running !== true)
        await stack.compose('up', '--detach', '--wait', '--wait-timeout', '120', '--no-deps', 'db');
      // What is written last by the boot: its end. A follower is a little behind.
      await eventually(
        'the end of the bot is in the log',
        async () => follower.lines.some((line) => line.includes('SIGTERM came.')),
        10_000,
      ).catch(() => undefined);
      // The database itself may have been restarted by what was done.
      const left = await eventually('the database tells', () => stack.leftBy(instance), 30_000);
      const order = await follower.order(moments);
      follower.stop();
      table.push(
        `${what.padEnd(58)} open ${before.join('+')} → left ${left}  ${seconds.toFixed(1).padStart(5)} s  ${order.join(' → ')}`,
      );
      return { instance, left, order, lines: follower.lines };
    }

    const both = ['bot', 'sidecar'] as const;
    let seed = 100;
    const change = () => {
      seed += 1;
      return { E2E_BOT_SEED: String(seed) };
    };
    let level = 'info';
    const changeSidecar = () => {
      level = level === 'info' ? 'debug' : 'info';
      return { E2E_LOG_LEVEL: level };
    };

    describe('Compose', () => {
      test.for<[string, () => Promise<unknown>]>([
        ['compose stop', () => stack.compose('stop')],
        ['compose down', () => stack.compose('down')],
        ['compose restart', () => stack.compose('restart')],
        ['compose restart bot', () => stack.compose('restart', 'bot')],
        ['compose stop bot', () => stack.compose('stop', 'bot')],
        [
          'compose kill -s TERM bot',
          async () => {
            await stack.compose('kill', '--signal', 'TERM', 'bot');
            await dockerOk(['wait', stack.container('bot')]);
          },
        ],
        [
          'compose up -d after a change of the bot',
          () => {
            stack.set(change());
            return stack.compose('up', '--detach');
          },
        ],
        [
          'compose up -d after a change of both',
          () => {
            stack.set({ ...change(), ...changeSidecar() });
            return stack.compose('up', '--detach');
          },
        ],
        [
          'compose up -d --force-recreate bot sidecar',
          () => stack.compose('up', '--detach', '--force-recreate', '--no-deps', 'bot', 'sidecar'),
        ],
        [
          'compose up -d --force-recreate bot',
          () => stack.compose('up', '--detach', '--force-recreate', 'bot'),
        ],
        ['compose rm --stop --force bot', () => stack.compose('rm', '--stop', '--force', 'bot')],
        [
          'Ctrl-C of an attached compose up',
          async () => {
            const up = stack.attached('up');
            // Attached, and past the start of what runs already.
            await eventually('it is attached', async () => (await stack.state('bot')).running, 20_000);
            await sleep(3000);
            up.kill('SIGINT');
            await ended(up);
          },
        ],
      ])('%s', async ([what, act]) => {
        const { left, order } = await stopping(what, act);
        expect(left).toBe(0);
        expectHeld(order);
      });
    });

    describe('the engine', () => {
      test.for<[string, () => Promise<unknown>]>([
        ['docker stop bot', () => dockerOk(['stop', stack.container('bot')])],
        ['docker restart bot', () => dockerOk(['restart', stack.container('bot')])],
        [
          'docker kill -s TERM bot',
          async () => {
            await dockerOk(['kill', '--signal', 'TERM', stack.container('bot')]);
            await dockerOk(['wait', stack.container('bot')]);
          },
        ],
        [
          'docker kill -s INT bot',
          async () => {
            await dockerOk(['kill', '--signal', 'INT', stack.container('bot')]);
            await dockerOk(['wait', stack.container('bot')]);
          },
        ],
        [
          'docker stop of bot and sidecar at the same instant',
          () => Promise.all(both.map((service) => dockerOk(['stop', stack.container(service)]))),
        ],
        [
          'docker stop of all at the same instant (a reboot)',
          () =>
            Promise.all(
              (['db', ...both, 'dashboard'] as const).map((service) =>
                dockerOk(['stop', stack.container(service)]),
              ),
            ),
        ],
      ])('%s', async ([what, act]) => {
        const { left, order } = await stopping(what, act);
        expect(left).toBe(0);
        expectHeld(order);
      });
    });

    describe('the sidecar alone', () => {
      test.for<[string, () => Promise<unknown>]>([
        ['compose restart sidecar', () => stack.compose('restart', 'sidecar')],
        ['docker restart sidecar', () => dockerOk(['restart', stack.container('sidecar')])],
        [
          'compose up -d after a change of the sidecar',
          () => {
            stack.set(changeSidecar());
            return stack.compose('up', '--detach');
          },
        ],
      ])('%s: flat, and another boot of the bot trades again', async ([what, act]) => {
        const { instance, left } = await stopping(what, act);
        expect(left).toBe(0);
        await eventually('another boot of the bot trades', async () => {
          const { instance: now, trading } = await stack.health();
          return now !== instance && trading === 'running';
        });
        expect((await stack.state('sidecar')).restarts).toBe(0);
      });

      test.for<[string, () => Promise<unknown>]>([
        ['docker stop sidecar', () => dockerOk(['stop', stack.container('sidecar')])],
        [
          'docker kill -s TERM sidecar',
          async () => {
            await dockerOk(['kill', '--signal', 'TERM', stack.container('sidecar')]);
            await dockerOk(['wait', stack.container('sidecar')]);
          },
        ],
      ])('%s: flat, and the bot stays halted', async ([what, act]) => {
        const { left, instance } = await stopping(what, act);
        expect(left).toBe(0);
        expect(await stack.health()).toMatchObject({ instance, trading: 'halted' });
        expect(await stack.lastReceipt()).toMatchObject({ state: 'flat', bot_instance: instance });
      });
    });

    describe('what stands beside the two', () => {
      const dashboard = stack.container('dashboard');
      const db = stack.container('db');

      test('docker kill -s TERM db: it stays until its last client has gone, and a stop is still flat', async () => {
        const instance = await stack.trading();
        await dockerOk(['kill', '--signal', 'TERM', db]);
        await stack.compose('stop', 'dashboard', 'sidecar', 'bot');
        expect(await stack.lastReceipt()).toMatchObject({ state: 'flat', bot_instance: instance });
        await eventually(
          'its last client has gone, and the database',
          async () => !(await stack.state('db')).running,
          10_000,
        );
        expect(await stack.rowsAfterwards()).toEqual([0, 0]);
      });

      test.for<[string, () => Promise<unknown>]>([
        ['docker stop dashboard', () => dockerOk(['stop', dashboard])],
        ['docker restart dashboard', () => dockerOk(['restart', dashboard])],
        ['docker kill -s TERM dashboard', () => dockerOk(['kill', '--signal', 'TERM', dashboard])],
        // On SIGTERM it waits for its clients, which do not leave, until it is killed: 30 s in production.
        ['docker restart db', () => dockerOk(['restart', '--time', '2', db])],
        [
          'docker stop db, and start',
          async () => {
            await dockerOk(['stop', '--time', '2', db]);
            await dockerOk(['start', db]);
          },
        ],
      ])('%s: the bot keeps what it holds, and trades on', async ([what, act]) => {
        const instance = await stack.trading();
        const { restarts } = await stack.state('bot');
        const started = performance.now();
        await act();
        const { last_tick_at } = await stack.health();
        await eventually('it is ready and trades on', async () => {
          const { trading, last_tick_at: tick } = await stack.health();
          return (
            trading === 'running' && tick > last_tick_at && (await stack.sidecarStatus('/readyz')) === 200
          );
        });
        const seconds = (performance.now() - started) / 1000;
        expect((await stack.health()).instance).toBe(instance);
        expect((await stack.state('bot')).restarts).toBe(restarts);
        const [positions, orders] = await stack.rows();
        table.push(`${what.padEnd(58)} trades on, holding ${positions}+${orders}  ${seconds.toFixed(1)} s`);
      });
    });

    describe('in the middle of something', () => {
      test('while the bot is starting, with positions of the boot before', async () => {
        const first = await stack.trading();
        await dockerOk(['kill', stack.container('bot')]);
        const [positions = 0] = await stack.rows();
        expect(positions).toBeGreaterThan(0);
        stack.set({ E2E_MODEL_LOAD_SECONDS: '6' });
        const follower = stack.follow();
        await stack.compose('up', '--detach');
        await stack.compose('stop', 'sidecar', 'bot');
        follower.stop();
        stack.set({ E2E_MODEL_LOAD_SECONDS: '0' });
        expect(await stack.rows()).toEqual([0, 0]);
        expect(await stack.lastReceipt()).toMatchObject({ state: 'flat' });
        expect((await stack.lastReceipt()).bot_instance).not.toBe(first);
      });

      test('during a drain that was asked for over HTTP: it is joined', async () => {
        const instance = await stack.trading();
        await stack.misbehave('slow-close', 1.5);
        const token = 'Authorization: Bearer development-only-drain';
        const asked = stack.exec(
          'sidecar',
          'curl',
          '-sS',
          '-X',
          'POST',
          '-H',
          token,
          'http://localhost:9400/drain',
        );
        await eventually(
          'the drain runs',
          async () => (await stack.sidecarStatus('/readyz')) === 503,
          10_000,
          50,
        );
        await stack.compose('stop', 'sidecar', 'bot');
        expect(JSON.parse(await asked)).toMatchObject({ state: 'flat', trigger: 'http' });
        expect(await stack.leftBy(instance)).toBe(0);
        expect((await stack.state('sidecar')).exitCode).toBe(0);
        const ids = new Set((await stack.receipts()).slice(-2).map(({ drain_id }) => drain_id));
        expect(ids.size).toBe(1);
        // A person asked for it: the bot stays on hold until a person lifts that.
        await stack.compose('up', '--detach');
        const held = await eventually('the bot is back, on hold', async () => {
          const { instance: now, trading } = await stack.health();
          return now !== instance && trading;
        });
        expect(held).toBe('halted');
        await eventually('the hold is lifted', async () => {
          const asked = ['curl', '-fsS', '-X', 'DELETE', '-H', token, 'http://localhost:9400/hold'];
          return JSON.parse(await stack.exec('sidecar', ...asked)).lifted === true;
        });
        await stack.trading();
      });

      test('while the sidecar is dead: the gate closes by itself', async () => {
        await stack.trading();
        await dockerOk(['kill', stack.container('sidecar')]);
        const { left, order } = await stoppingTheBot('docker stop bot, sidecar killed');
        expect(left).toBe(0);
        expectHeld(order);
      });

      test('while the sidecar hangs: the gate closes by itself', async () => {
        await stack.trading();
        await dockerOk(['pause', stack.container('sidecar')]);
        const { left, order } = await stoppingTheBot('docker stop bot, sidecar paused');
        await dockerOk(['unpause', stack.container('sidecar')]);
        expect(left).toBe(0);
        // By itself and proven; not because its time was up.
        expectHeld(order);
      });

      test('while the sidecar is killed in the middle of its drain: the bot sees one key', async () => {
        const instance = await stack.trading();
        await stack.misbehave('slow-close', 2);
        const follower = stack.follow();
        const stopped = dockerOk(['stop', stack.container('bot')]);
        await eventually('the sidecar asks the bot to close', async () =>
          follower.lines.some((line) => line.includes('"drain.close"')),
        );
        await dockerOk(['kill', stack.container('sidecar')]);
        await stopped;
        expect(await stack.leftBy(instance)).toBe(0);
        const keys = await eventually('the bot tells under which keys it closed', async () => {
          const asked = follower.lines.filter((line) => line.includes('"close_asked"'));
          return asked.length > 0 && new Set(asked.map((line) => /"drain_id": ?"([^"]+)"/.exec(line)?.[1]));
        });
        follower.stop();
        expect(keys.size).toBe(1);
      });

      test('while the bot has used up every thread that its container may have', async () => {
        const instance = await stack.trading();
        const follower = stack.follow();
        await stack.misbehave('eat-threads');
        await eventually('no thread is left', async () =>
          follower.lines.some((line) => line.includes('no_thread_left')),
        );
        follower.stop();
        const { left, order } = await stopping(
          'docker stop bot, all threads used up',
          () => dockerOk(['stop', stack.container('bot')]),
          instance,
        );
        expect(left).toBe(0);
        expectHeld(order);
      });

      test('while the network between the two is cut', async () => {
        await stack.trading();
        const networks = ['data', 'outside'].map((name) => `${stack.project}_${name}`);
        for (const network of networks)
          await dockerOk(['network', 'disconnect', network, stack.container('sidecar')]);
        const { left } = await stoppingTheBot('docker stop bot, sidecar cut off');
        await stack.compose('up', '--detach', '--force-recreate', 'sidecar');
        expect(left).toBe(0);
      });

      /** The bot alone is stopped, in the state in which the stack is. */
      async function stoppingTheBot(what: string) {
        const { instance } = await stack.health();
        return stopping(what, () => dockerOk(['stop', stack.container('bot')]), instance);
      }
    });

    describe('where nothing can close: exit code 3, an alert, and a receipt', () => {
      /** Stops the sidecar, and gives what it said. */
      async function notFlat() {
        await stack.compose('stop', 'sidecar');
        expect((await stack.state('sidecar')).exitCode).toBe(3);
        const receipt = await stack.lastReceipt();
        expect(receipt.state).toBe('not_flat');
        expect(await stack.alerts()).toContainEqual(
          expect.objectContaining({
            event: 'drain.not_flat',
            severity: 'critical',
            drain_id: receipt.drain_id,
          }),
        );
        return receipt;
      }

      test('the bot refuses to close', async () => {
        await stack.trading();
        await stack.misbehave('refuse-close');
        const [positions, orders] = await stack.rows();
        expect(await notFlat()).toMatchObject({ open_positions: positions, pending_orders: orders });
        await stack.compose('stop', 'bot');
      });

      test('the bot says that it closed, and did not', async () => {
        await stack.trading();
        await stack.misbehave('lie-close');
        expect((await notFlat()).open_positions).toBeGreaterThan(0);
        await stack.compose('stop', 'bot');
      });

      test('the bot hangs', async () => {
        await stack.trading();
        await stack.misbehave('hang');
        await notFlat();
        await stack.compose('kill', 'bot');
      });

      test('the bot is paused: the sidecar says so; once it runs again it is closed before it ends', async () => {
        const instance = await stack.trading();
        await dockerOk(['pause', stack.container('bot')]);
        await notFlat();
        await docker(['unpause', stack.container('bot')]);
        await dockerOk(['stop', stack.container('bot')]);
        expect(await stack.leftBy(instance)).toBe(0);
      });

      test('Compose replaces the database before the bot (up --force-recreate of everything)', async () => {
        const instance = await stack.trading();
        const follower = stack.follow();
        await stack.compose('up', '--detach', '--force-recreate');
        await eventually('the gate says so', async () =>
          follower.lines.some((line) => line.includes('NOT FLAT')),
        );
        follower.stop();
        expect(await stack.receipts()).toContainEqual(
          expect.objectContaining({ state: 'not_flat', bot_instance: instance }),
        );
      });

      test('the database is down, so that nothing can prove flat', async () => {
        await stack.trading();
        await stack.compose('kill', 'db');
        await notFlat();
        await stack.compose('stop', 'bot');
      });
    });
  },
);
