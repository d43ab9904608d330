import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answer } from '../../src/answer.ts';
import {
  aggregate,
  createMonitor,
  isHealthy,
  type Member,
  type Monitor,
  type Snapshot,
  type Status,
} from '../../src/index.ts';
import { preparedAnswers } from '../../src/prepared.ts';
import { Tally } from '../../src/status.ts';
import { createFakeClock, type FakeClock, type ScriptedProbe, scriptedProbe } from '../../src/testing.ts';

/** Anything that can happen to a monitor, or that time does to it. */
type Step =
  | { readonly do: 'advance' | 'suspend' | 'jump'; readonly ms: number }
  | {
      readonly do: 'script';
      readonly probe: number;
      readonly step: 'pass' | 'warn' | 'fail' | 'hang' | 'stuck';
    }
  | { readonly do: 'check' | 'forget' | 'remove' | 'add'; readonly probe: number }
  | { readonly do: 'pause'; readonly from: number; readonly until: number; readonly all: boolean }
  | { readonly do: 'resume' | 'start' | 'close' | 'read' };

const NAMES = ['a', 'b', 'c'];
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 1500 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('suspend' as const), ms: fc.integer({ min: 0, max: 4000 }) }),
    },
    fc.record({ do: fc.constant('jump' as const), ms: fc.integer({ min: -5000, max: 5000 }) }),
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('script' as const),
        probe: fc.nat({ max: 2 }),
        step: fc.constantFrom(
          'pass' as const,
          'warn' as const,
          'fail' as const,
          'hang' as const,
          'stuck' as const,
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('check' as const, 'forget' as const, 'remove' as const, 'add' as const),
        probe: fc.nat({ max: 2 }),
      }),
    },
    fc.record({
      do: fc.constant('pause' as const),
      from: fc.integer({ min: -2000, max: 2000 }),
      until: fc.integer({ min: 2001, max: 5000 }),
      all: fc.boolean(),
    }),
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('resume' as const, 'read' as const, 'start' as const) }),
    },
    fc.record({ do: fc.constantFrom('start' as const, 'close' as const, 'read' as const, 'read' as const) }),
  ),
  { minLength: 5, maxLength: 40 },
);

function world() {
  const clock = createFakeClock();
  const probes = NAMES.map((name) => scriptedProbe(name));
  const settings = (probe: ScriptedProbe, index: number) => ({
    probe,
    critical: index !== 2,
    interval: 1000 + index * 300,
  });
  const monitor = createMonitor({
    probes: probes.map(settings),
    timeout: 400,
    spread: 500,
    random: () => 0.5,
    failureThreshold: 2,
    startupGrace: 3000,
    groups: { liveness: ['a'], mine: ['b', 'c'] },
    clock,
  });
  return { clock, probes, monitor, settings };
}

async function take(
  step: Step,
  { clock, probes, monitor, settings }: ReturnType<typeof world>,
): Promise<void> {
  const name = 'probe' in step ? (NAMES[step.probe] ?? '') : '';
  const known = monitor.probe(name) !== undefined;
  switch (step.do) {
    case 'advance':
      return clock.advance(step.ms);
    case 'suspend':
      return clock.suspend(step.ms);
    case 'jump':
      return clock.jump(step.ms);
    case 'script':
      probes[step.probe]?.release();
      return probes[step.probe]?.script(step.step);
    case 'check':
      if (known) void monitor.check(name).catch(() => undefined);
      return clock.flush();
    case 'forget':
      if (known) monitor.forget(name);
      return;
    case 'remove':
      void monitor.remove(name);
      return;
    case 'add':
      if (known) return;
      try {
        monitor.add(settings(probes[step.probe] as ScriptedProbe, step.probe), { groups: ['mine'] });
      } catch {
        // It was closed.
      }
      return;
    case 'pause': {
      const [from, until] = [clock.now() + step.from, clock.now() + step.until];
      const some = NAMES.filter((each) => monitor.probe(each) !== undefined).slice(0, 1);
      return monitor.pause({
        from: new Date(from),
        until: new Date(until),
        ...(step.all ? {} : { probes: some }),
      });
    }
    case 'resume':
      return monitor.resume();
    case 'start':
      return monitor.start();
    case 'close':
      return void monitor.close();
    case 'read':
      return void monitor.snapshot();
  }
}

/** A snapshot without what is allowed to differ: when it was taken, and ages. */
function timeless({ at: _, probes, ...rest }: Snapshot): unknown {
  return { ...rest, probes: probes.map(({ ageMs: __, ...probe }) => probe) };
}

/** The groups, from the probes alone: nothing that was counted before goes in. */
function expectTallies(monitor: Monitor): void {
  const { probes, groups, status } = monitor.snapshot();
  const whole = (names: readonly string[]): Status =>
    aggregate(probes.filter(({ name }) => names.includes(name)));
  if (probes.length > 0) expect(status).toBe(aggregate(probes));
  for (const { name, probes: members, status, healthy } of Object.values(groups)) {
    if (members.length === 0 || (name === 'startup' && status === 'pass')) continue;
    expect(status, name).toBe(whole(members));
    if (name !== 'liveness') expect(healthy, name).toBe(isHealthy(status));
  }
}

describe('at any moment, whatever happened before', () => {
  test('a group is what its members are, a current snapshot tells what a new one would, and a prepared answer is what would be made now', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const all = world();
        const { monitor } = all;
        const prepared = preparedAnswers(monitor, { notes: ['a note'] });
        const taken: Snapshot[] = [];
        for (const step of [{ do: 'start' } as const, ...list]) {
          await take(step, all);
          // Before anything else is read: reading must not be what makes it right.
          const current = taken.filter((snapshot) => monitor.isCurrent(snapshot));
          for (const url of ['/livez', '/readyz', '/startupz', '/healthz']) {
            for (const details of [true, false]) {
              for (const shuttingDown of [false, true]) {
                const given = prepared({ method: 'GET', url }, { details, shuttingDown });
                const anew = answer({ url }, monitor.snapshot(), {
                  details,
                  shuttingDown,
                  document: { notes: ['a note'] },
                });
                expect([given?.status, given?.body]).toEqual([anew?.status, anew?.body]);
              }
            }
          }
          const now = monitor.snapshot();
          for (const snapshot of current) expect(timeless(snapshot)).toEqual(timeless(now));
          expectTallies(monitor);
          taken.push(now);
        }
        await monitor.close();
      }),
      { numRuns: 300 },
    );
  }, 120_000);

  test('a tally of members is their aggregate', () => {
    const member = fc.record({
      status: fc.constantFrom<Status>('pass', 'warn', 'paused', 'unknown', 'fail'),
      critical: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(member), fc.array(member), (stay, leave) => {
        const tally = new Tally();
        const counted = ({ status, critical }: Member) => ({ judged: status, critical });
        for (const one of [...stay, ...leave]) tally.add(counted(one));
        for (const one of leave) tally.remove(counted(one));
        expect([tally.whole, tally.size]).toEqual([aggregate(stay), stay.length]);
      }),
    );
  });
});

describe('a prepared answer', () => {
  const ready = async (): Promise<{ clock: FakeClock; monitor: Monitor; db: ScriptedProbe }> => {
    const clock = createFakeClock();
    const db = scriptedProbe('db');
    const monitor = createMonitor({
      probes: [db],
      interval: 1000,
      timeout: 500,
      spread: 0,
      failureThreshold: 1,
      clock,
    });
    monitor.start();
    await clock.advance(0);
    return { clock, monitor, db };
  };
  const get = { method: 'GET', url: '/readyz' };
  const plain = { details: false, shuttingDown: false };

  test('is the same object for as long as nothing changes', async () => {
    const { clock, monitor } = await ready();
    const prepared = preparedAnswers(monitor, undefined);
    const first = prepared(get, plain);
    clock.suspend(900);
    monitor.snapshot();
    expect(prepared(get, plain)).toBe(first);
    await clock.advance(200);
    expect(prepared(get, plain)).not.toBe(first);
    await monitor.close();
  });

  test('fails once its result is too old, though no timer fires any more', async () => {
    const { clock, monitor } = await ready();
    const prepared = preparedAnswers(monitor, undefined);
    expect(prepared(get, plain)?.status).toBe(200);
    clock.suspend(2500);
    expect(prepared(get, plain)?.status).toBe(200);
    clock.suspend(1);
    expect(prepared(get, plain)?.status).toBe(503);
    await monitor.close();
  });

  test('of liveness fails when the start-up grace is over, though nothing happens at that moment', async () => {
    const clock = createFakeClock();
    const monitor = createMonitor({
      probes: [scriptedProbe('db', 'fail')],
      interval: 1000,
      staleAfter: '1h',
      spread: 0,
      failureThreshold: 1,
      startupGrace: 1500,
      groups: { liveness: ['db'] },
      clock,
    });
    monitor.start();
    await clock.advance(1000);
    const prepared = preparedAnswers(monitor, undefined);
    const livez = { method: 'GET', url: '/livez' };
    expect(prepared(livez, plain)?.status).toBe(200);
    clock.suspend(499);
    expect(prepared(livez, plain)?.status).toBe(200);
    clock.suspend(1);
    expect(prepared(livez, plain)?.status).toBe(503);
    await monitor.close();
  });
});
