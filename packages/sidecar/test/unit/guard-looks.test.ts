import { createMonitor, probe } from '@botwarden/probes';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Alert } from '../../src/alerts/alert.ts';
import { systemClock } from '../../src/clock.ts';
import { createDefects } from '../../src/defects.ts';
import type { Drainer } from '../../src/drain/drain.ts';
import { receiptsInMemory } from '../../src/drain/receipts.ts';
import type { EventLog } from '../../src/event-log.ts';
import { createGuard } from '../../src/guard.ts';
import { VERDICT_STANDS_MS } from '../../src/heal/heal.ts';
import type { HealFile } from '../../src/heal/heal-file.ts';
import type { Loaded } from '../../src/state/state-file.ts';
import { createKnownModels } from '../../src/watch/known-models.ts';
import { createTickLimit } from '../../src/watch/tick-limit.ts';

/** A guard of a bot that says that it is ill, with all that is not looked at here left out. */
function guardOfIllBot(load: () => Promise<Loaded<HealFile>> = async () => ({ value: null, problem: null })) {
  let ahead = 0;
  const clock = { now: systemClock.now, elapsed: () => systemClock.elapsed() + ahead };
  const alerts: Alert[] = [];
  const said: string[] = [];
  const say = (_: object, sentence: string): void => void said.push(sentence);
  const log: EventLog = { info: say, warn: say, error: say };
  const alert = (one: Alert): void => void alerts.push(one);
  const defects = createDefects({ log, alert });
  const monitor = createMonitor({
    interval: 20,
    failureThreshold: 2,
    spread: 0,
    probes: [
      probe('api', async () => {
        throw Object.assign(new Error('ill'), { code: 'BOT_NOT_OK', details: { instance: 'boot-1' } });
      }),
    ],
    onListenerError: (error, event) => defects.tell(`in what listens to each ${event} of a probe`, error),
  });
  const guard = createGuard({
    botName: 'bot',
    monitor,
    failureThreshold: 2,
    drainer: { current: () => null, on: () => () => undefined } as unknown as Drainer,
    receipts: receiptsInMemory(),
    leases: null,
    hold: { current: () => null, known: Promise.resolve(), on: () => () => undefined },
    vanished: { concern: () => null, current: () => null },
    rules: { startupGraceMs: 0, cooldownMs: 60_000, maxPerHour: 5 },
    tickLimit: createTickLimit('auto', clock.elapsed),
    knownModels: createKnownModels(),
    memory: { load, save: () => undefined, settled: async () => true, problem: () => null },
    stateProblems: () => [],
    openNow: () => null,
    alert,
    alertState: () => ({ undelivered: 0, problem: null }),
    atTheCap: () => undefined,
    defects,
    log,
    clock,
  });
  onTestFinished(async () => {
    guard.close();
    await monitor.close();
  });
  const skip = (ms: number): void => {
    ahead += ms;
  };
  return { guard, monitor, defects, alerts, said, skip };
}

it('an error in what listens to the guard is logged, counted and told, and keeps nobody else from hearing', async () => {
  const { guard, monitor, defects, alerts, said } = guardOfIllBot();
  let heard = 0;
  guard.onChange(() => {
    throw new Error('of somebody else');
  });
  guard.onChange(() => {
    heard += 1;
  });
  monitor.start();
  await vi.waitFor(() => expect(guard.live().live).toBe(false));
  expect(heard).toBeGreaterThan(0);
  expect(defects.count()).toBeGreaterThan(0);
  expect(said.join()).toContain('A defect of Botwarden: an error in what waits for the liveness of the bot');
  expect(alerts).toContainEqual(expect.objectContaining({ event: 'defect', severity: 'critical' }));
});

it('an error in what listens to the monitor is so, too', async () => {
  const { guard, monitor, defects, alerts } = guardOfIllBot();
  monitor.on('run', () => {
    throw new Error('of somebody else');
  });
  monitor.start();
  await vi.waitFor(() => expect(guard.live().live).toBe(false));
  expect(defects.count()).toBeGreaterThan(0);
  expect(alerts).toContainEqual(
    expect.objectContaining({ event: 'defect', text: expect.stringContaining('each run of a probe') }),
  );
});

it('decides nothing before it knows what an earlier process kept', async () => {
  const { promise, resolve } = Promise.withResolvers<Loaded<HealFile>>();
  const { guard, monitor } = guardOfIllBot(() => promise);
  monitor.start();
  await vi.waitFor(() => expect(monitor.probe('api')?.consecutiveFailures).toBeGreaterThan(5));
  expect(guard.live()).toMatchObject({ live: true, boot: null });
  resolve({ value: null, problem: null });
  await vi.waitFor(() => expect(guard.live()).toMatchObject({ live: false, boot: 'boot-1' }));
});

it('changes nothing by being asked: what time alone changes is seen at the next look', async () => {
  const { guard, monitor, skip } = guardOfIllBot();
  monitor.start();
  await vi.waitFor(() => expect(guard.live().live).toBe(false));
  // From here to the end of this turn nobody looks.
  skip(VERDICT_STANDS_MS);
  guard.started();
  guard.ready();
  guard.health();
  expect(guard.live().live).toBe(false);
  await vi.waitFor(() => expect(guard.live().live).toBe(true));
});
