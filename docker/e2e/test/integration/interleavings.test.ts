import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { until } from '../../../../packages/service/test/support/processes.ts';
import { type Behaviour, type Container, createWorld, type World } from './interleaving/world.ts';

// Gate, sidecar and bot as real processes, in every order in which they can be stopped, frozen, killed and started
// again. Each case says how the gate ended and what it said, what the receipt says, what the bot was asked, and what is
// open at the exchange, which outlives every boot of the bot.

interface Case {
  /** How the bot behaves from its start. */
  readonly bot?: Behaviour;
  readonly gateEnv?: Readonly<Record<string, string>>;
  readonly sidecarEnv?: Readonly<Record<string, string>>;
  /** Default: there is a sidecar, and it knows the bot. */
  readonly sidecar?: 'none';
  /** What happens; gives the exit code of the gate. Default: `docker stop` of the bot. */
  readonly act?: (world: World, container: Container) => Promise<number>;
  /** The exit code of the gate. */
  readonly code: number;
  readonly flat: boolean;
  /** What is open at the exchange in the end. Default: nothing where it is flat, all where it is not. */
  readonly open?: readonly [number, number];
  /** The state of the last receipt; null: there is none. */
  readonly receipt: string | null;
  /** Close calls that the bot saw, from the first number to the second. Default: one. */
  readonly calls?: readonly [number, number];
  /** How many different keys they had. Default: one. */
  readonly keys?: number;
  readonly check?: (world: World, container: Container) => Promise<void> | void;
}

const stop = (_: World, container: Container): Promise<number> => container.stop();
const called = (world: World, times = 1) =>
  until(`the bot was asked ${times} time(s) to close`, () => world.closeCalls().length >= times);
const bootOf = (world: World): string => world.calls().findLast(({ path }) => path === 'start')?.boot ?? '';
const receipt = (world: World, state: string) =>
  until(`there is a receipt ${state}`, () => world.receipts().find((one) => one.state === state), 30_000);
const anotherBoot = (world: World, boots: number) =>
  until(
    `boot ${boots} is up`,
    () => world.calls().filter(({ path }) => path === 'up').length >= boots,
    30_000,
  );
const livez = (world: World, status: number) =>
  until(`/livez is ${status}`, async () => (await world.get('/livez')).status === status, 30_000);

const FLAT = { code: 0, flat: true, receipt: 'flat' } as const;
const NOT_FLAT = { code: 0, flat: false, receipt: 'not_flat', calls: [1, 40] } as const;
/** The sidecar could do nothing: the gate closed by itself. */
const BY_GATE = { code: 0, flat: true, receipt: null } as const;

const CASES: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  'the bot is stopped': {
    'and does as it should': {
      ...FLAT,
      check: (world) => {
        const last = world.receipts().at(-1);
        expect(last).toMatchObject({ trigger: 'http', boot: bootOf(world), proof: ['bot'] });
        expect(world.closeCalls()[0]?.key).toBe(last?.drain_id);
      },
    },
    'while it trades': { ...FLAT, bot: { trades: true } },
    'and says nothing of itself': { ...FLAT, bot: { says_nothing: true } },
    'and takes its time to close': { ...FLAT, bot: { close_takes: 0.7 } },
    'and refuses at first': {
      ...FLAT,
      bot: { close: '503' },
      calls: [2, 20],
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        world.behave({});
        return code;
      },
    },
    'and refuses for good': { ...NOT_FLAT, bot: { close: '403' } },
    'and fails to close for good': { ...NOT_FLAT, bot: { close: '500' } },
    'and hangs': { ...NOT_FLAT, act: hangThenStop, calls: [0, 40] },
    'and lies': { ...NOT_FLAT, bot: { close: 'lies' } },
    'and only promises': { ...NOT_FLAT, bot: { close: 'promises', says_nothing: true }, open: [2, 1] },
    'and cannot tell its positions': { ...NOT_FLAT, bot: { positions_status: 500 }, open: [0, 0] },
    'and dies in the middle': { ...NOT_FLAT, bot: { close: 'dies' }, code: 1 },
    'and dies after it closed everything: nobody can prove that': {
      ...NOT_FLAT,
      bot: { close: 'closes, then dies' },
      code: 1,
      open: [0, 0],
    },
    'and ignores SIGTERM afterwards': { ...FLAT, bot: { ignores_sigterm: true }, code: 137 },
    ...Object.fromEntries(
      (['SIGINT', 'SIGHUP', 'SIGQUIT'] as const).map((signal) => [
        `by ${signal}`,
        {
          ...FLAT,
          act: async (_: World, container: Container) => {
            container.gate().child.kill(signal);
            return container.stop();
          },
        } satisfies Case,
      ]),
    ),
    twice: {
      ...FLAT,
      bot: { close_takes: 0.7 },
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        container.gate().child.kill('SIGTERM');
        return code;
      },
    },
  },

  'the bot is stopped, and the sidecar': {
    'was never there': { ...BY_GATE, sidecar: 'none' },
    'is frozen': {
      ...BY_GATE,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGSTOP');
        return container.stop();
      },
    },
    'is frozen in the middle of the drain': {
      ...BY_GATE,
      bot: { close: '503' },
      receipt: 'started',
      calls: [2, 40],
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        world.sidecar().child.kill('SIGSTOP');
        world.behave({});
        return code;
      },
    },
    'was killed before': {
      ...BY_GATE,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGKILL');
        await world.sidecar().exited;
        return container.stop();
      },
    },
    'is killed in the middle of the drain': {
      ...BY_GATE,
      bot: { close: '503' },
      receipt: 'started',
      calls: [2, 40],
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        world.sidecar().child.kill('SIGKILL');
        world.behave({});
        return code;
      },
    },
    'was killed and started again': {
      ...FLAT,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGKILL');
        await world.sidecar().exited;
        await world.startSidecar();
        await world.ready();
        return container.stop();
      },
    },
    'has another token': { ...BY_GATE, gateEnv: { DRAIN_TOKEN: 'another-token' } },
    'has no token': { ...BY_GATE, sidecarEnv: { DRAIN_TOKEN: '' } },
    'is somewhere else': { ...BY_GATE, gateEnv: { SIDECAR_URL: 'http://127.0.0.1:1' } },
    'is none, as configured': { ...BY_GATE, gateEnv: { SIDECAR_URL: '' } },
    'guards another boot': {
      ...BY_GATE,
      gateEnv: { SIDECAR_URL: 'http://127.0.0.1:1' },
      act: async (world, container) => {
        // Another gate holds the lease: what it asks for is none of this boot's business.
        await world.send('POST', '/drain', { boot: 'boot-of-another' });
        return container.stop();
      },
      keys: 2,
      calls: [2, 3],
      receipt: 'flat',
    },
  },

  'the sidecar is stopped': {
    'and then the bot: it is not asked to close again': {
      ...FLAT,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        expect(await world.sidecar().exited).toBe(0);
        const began = performance.now();
        const code = await container.stop();
        expect(performance.now() - began).toBeLessThan(3_000);
        return code;
      },
      check: (world, container) => {
        expect(world.receipts().at(-1)).toMatchObject({ trigger: 'SIGTERM', boot: bootOf(world) });
        expect(container.gate().output()).toContain('over the lease');
      },
    },
    'and the bot at the same moment': {
      ...FLAT,
      bot: { close_takes: 0.3 },
      calls: [1, 3],
      keys: 1,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        const code = await container.stop();
        expect(await world.sidecar().exited).toBe(0);
        return code;
      },
    },
    'in the middle of the drain of the bot': {
      ...FLAT,
      bot: { close: '503' },
      calls: [2, 40],
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        world.sidecar().child.kill('SIGTERM');
        world.behave({});
        expect(await world.sidecar().exited).toBe(0);
        return code;
      },
    },
    'twice, and then the bot': {
      ...FLAT,
      bot: { close_takes: 0.5 },
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        await called(world);
        world.sidecar().child.kill('SIGTERM');
        expect(await world.sidecar().exited).toBe(0);
        return container.stop();
      },
    },
    'and the bot fails to close: both say so': {
      ...NOT_FLAT,
      keys: 2,
      bot: { close: '500' },
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        expect(await world.sidecar().exited).toBe(3);
        return container.stop();
      },
    },
    'by SIGQUIT, and then the bot, which closes by its gate': {
      ...BY_GATE,
      receipt: 'abandoned',
      bot: { close: '503' },
      calls: [2, 40],
      keys: 2,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        await called(world);
        world.sidecar().child.kill('SIGQUIT');
        expect(await world.sidecar().exited).toBe(3);
        world.behave({});
        return container.stop();
      },
    },
    'alone, and comes back: the halted bot is asked to restart, and trades': {
      ...FLAT,
      calls: [2, 2],
      keys: 2,
      act: async (world, container) => {
        world.sidecar().child.kill('SIGTERM');
        expect(await world.sidecar().exited).toBe(0);
        const gate = container.gate();
        await world.startSidecar();
        expect(await gate.exited).toBe(75);
        await anotherBoot(world, 2);
        await world.ready();
        return container.stop();
      },
    },
  },

  'a boot of the bot': {
    'crashes, and the next one is stopped': {
      ...FLAT,
      act: async (world, container) => {
        world.behave({ dies: true });
        await until('it crashed', () => container.gate().child.exitCode !== null || container.starts() > 1);
        world.behave({});
        await anotherBoot(world, 2);
        await world.ready();
        return container.stop();
      },
      check: (world) => expect(world.receipts().at(-1)?.boot).toBe(bootOf(world)),
    },
    'crashes, and the next one forgets what is open': {
      code: 0,
      flat: false,
      receipt: 'not_flat',
      open: [0, 0],
      calls: [1, 40],
      act: crashAndForget,
      check: (world) => {
        expect(world.receipts().at(-1)?.reason).toContain('without a close in between');
        expect(world.alerts().join()).toContain('vanished');
      },
    },
    'crashes, the next one forgets, and a person acknowledges it': {
      ...FLAT,
      act: async (world, container) =>
        crashAndForget(world, container, async () => {
          expect((await world.send('POST', '/acknowledge')).status).toBe(200);
        }),
    },
    'hangs, is restarted, and stopped then': {
      ...FLAT,
      act: async (world, container) => {
        const gate = container.gate();
        world.behave({ hangs: true });
        expect(await gate.exited).toBe(75);
        world.behave({});
        await anotherBoot(world, 2);
        await world.ready();
        return container.stop();
      },
      check: (world) => expect(world.receipts().at(-1)?.boot).toBe(bootOf(world)),
    },
    'has a trading loop that hangs: the next one is stopped': {
      ...FLAT,
      act: async (world, container) => {
        const gate = container.gate();
        world.behave({ tick_age: 60 });
        expect(await gate.exited).toBe(75);
        world.behave({});
        await anotherBoot(world, 2);
        await world.ready();
        return container.stop();
      },
    },
    'is stopped while it is being restarted': {
      code: 75,
      flat: false,
      receipt: 'not_flat',
      calls: [0, 20],
      bot: { ignores_sigterm: true },
      gateEnv: { KILL_AFTER: '3s' },
      act: async (world, container) => {
        world.behave({ hangs: true, ignores_sigterm: true });
        await livez(world, 503);
        return container.stop();
      },
    },
    'is stopped on purpose for long, uses up no restart, and is healed when it hangs later': {
      ...FLAT,
      // Time enough for a bot to start on a busy machine: a restart for that would be the one that the cap allows.
      sidecarEnv: { STARTUP_GRACE: '6s', HEAL_MAX_PER_HOUR: '1' },
      keys: 2,
      calls: [2, 2],
      act: async (world, container) => {
        expect(await container.stop()).toBe(0);
        await delay(12_000);
        expect((await world.get('/livez')).status).toBe(200);
        const again = await world.startBot();
        await anotherBoot(world, 2);
        await world.ready();
        const gate = again.gate();
        world.behave({ hangs: true });
        expect(await gate.exited).toBe(75);
        world.behave({});
        await anotherBoot(world, 3);
        await world.ready();
        return again.stop();
      },
    },
    'is not drained for the one before, by a sidecar that was frozen': {
      ...FLAT,
      keys: 2,
      calls: [2, 3],
      act: async (world, container) => {
        world.sidecar().child.kill('SIGSTOP');
        await container.stop();
        const again = await world.startBot();
        await anotherBoot(world, 2);
        world.sidecar().child.kill('SIGCONT');
        await world.ready();
        const before = world.closeCalls().length;
        await delay(1_000);
        expect(world.closeCalls()).toHaveLength(before);
        return again.stop();
      },
    },
  },

  "a person's drain": {
    'stands: a boot that follows a crash begins on hold': {
      ...FLAT,
      keys: 2,
      calls: [1, 4],
      act: async (world, container) => {
        expect((await world.send('POST', '/drain')).status).toBe(200);
        world.behave({ dies: true });
        await until('it crashed', () => container.starts() > 1);
        world.behave({ trades: true });
        await until('a boot began on hold', () =>
          world.calls().some(({ path, hold }) => path === 'start' && hold === 'true'),
        );
        await anotherBoot(world, 2);
        return container.stop();
      },
    },
    'stands over a restart of the sidecar': {
      ...FLAT,
      keys: 2,
      calls: [1, 4],
      act: async (world, container) => {
        expect((await world.send('POST', '/drain')).status).toBe(200);
        world.sidecar().child.kill('SIGKILL');
        await world.sidecar().exited;
        await world.startSidecar();
        await until('the hold is known', async () => (await world.get('/hold')).body.hold === true);
        await delay(2_000);
        expect((await world.get('/livez')).status).toBe(200);
        return container.stop();
      },
    },
    'is lifted: the bot is restarted, and trades': {
      ...FLAT,
      keys: 2,
      calls: [2, 3],
      act: async (world, container) => {
        expect((await world.send('POST', '/drain')).status).toBe(200);
        const gate = container.gate();
        expect((await world.send('DELETE', '/hold')).status).toBe(200);
        expect(await gate.exited).toBe(75);
        await anotherBoot(world, 2);
        await world.ready();
        return container.stop();
      },
    },
    'comes while the bot is being stopped': {
      ...FLAT,
      bot: { close_takes: 0.7 },
      act: async (world, container) => {
        const code = container.stop();
        await called(world);
        expect((await world.send('POST', '/drain')).status).toBe(200);
        return code;
      },
    },
    'has ended, and then the sidecar is stopped, and then the bot': {
      ...FLAT,
      keys: 2,
      calls: [2, 2],
      act: async (world, container) => {
        expect((await world.send('POST', '/drain')).status).toBe(200);
        world.sidecar().child.kill('SIGTERM');
        expect(await world.sidecar().exited).toBe(0);
        return container.stop();
      },
    },
  },
};

async function hangThenStop(world: World, container: Container): Promise<number> {
  world.behave({ hangs: true });
  return container.stop();
}

async function crashAndForget(
  world: World,
  container: Container,
  then: () => Promise<void> = async () => undefined,
): Promise<number> {
  await until('what is open was read', async () => {
    const { body } = await world.get('/healthz');
    return (body.positions as { open_positions?: number } | null)?.open_positions === 2;
  });
  await delay(1_500);
  world.behave({ dies: true, forgets: true, remembers: bootOf(world) });
  await until('it crashed', () => container.starts() > 1);
  world.behave({ forgets: true });
  await anotherBoot(world, 2);
  await world.ready();
  await until('it is told', () => world.alerts().some((text) => text.includes('vanished')));
  await then();
  return container.stop();
}

async function check(given: Case): Promise<void> {
  const world = await createWorld();
  try {
    world.behave(given.bot ?? {});
    if (given.sidecar !== 'none') await world.startSidecar(given.sidecarEnv);
    const container = await world.startBot(given.gateEnv);
    const unknown = given.gateEnv?.SIDECAR_URL !== undefined || given.gateEnv?.DRAIN_TOKEN !== undefined;
    if (given.sidecar !== 'none' && !unknown && given.sidecarEnv?.DRAIN_TOKEN === undefined)
      await world.ready();
    const code = await (given.act ?? stop)(world, container);
    const said = container.gate().output();
    const all = `gate:\n${said}\nsidecar:\n${given.sidecar === 'none' ? '' : world.sidecar().output()}`;
    expect(code, all).toBe(given.code);
    // What the gate says is what is so, in one of two ways.
    if (given.flat) expect(said).not.toContain('NOT FLAT');
    expect(said).toMatch(given.flat ? /\bflat\b/ : /NOT FLAT/);
    const book = world.book();
    const open = given.open ?? (given.flat ? [0, 0] : [2, 1]);
    expect([book.open_positions, book.pending_orders], all).toEqual(open);
    if (given.receipt === null) expect(world.receipts()).toEqual([]);
    else if (given.receipt === 'started') expect(world.receipts().at(-1)?.state).toBe('started');
    else await receipt(world, given.receipt);
    const calls = world.closeCalls();
    const [least, most] = given.calls ?? [1, 1];
    expect(calls.length, all).toBeGreaterThanOrEqual(least);
    expect(calls.length, all).toBeLessThanOrEqual(most);
    const keys = new Set(calls.map(({ key }) => key));
    if (calls.length > 0) expect(keys.size, all).toBeLessThanOrEqual(given.keys ?? 1);
    await given.check?.(world, container);
  } finally {
    await world.end();
  }
}

for (const [group, cases] of Object.entries(CASES)) {
  describe.concurrent(group, () => {
    it.each(Object.entries(cases))('%s', { timeout: 120_000 }, (_, given) => check(given));
  });
}

it('has forty cases and more', () => {
  expect(Object.values(CASES).flatMap((cases) => Object.keys(cases)).length).toBeGreaterThanOrEqual(40);
});
