import { describe, expect, onTestFinished, test } from 'vitest';
import { createMonitor, type Monitor, type MonitorOptions, probe } from '../../src/index.ts';
import { createFakeClock, type ScriptStep, scriptedProbe } from '../../src/testing.ts';

const HOUR = 3_600_000;

/** One scripted probe, asked every second from the start; a result is worth 2.5 s. */
function watch(steps: ScriptStep[], options: MonitorOptions = {}) {
  const clock = createFakeClock();
  const db = scriptedProbe('db', ...steps);
  const monitor = createMonitor({
    probes: [db],
    interval: '1s',
    timeout: '500ms',
    spread: 0,
    failureThreshold: 1,
    clock,
    ...options,
  });
  onTestFinished(() => monitor.close());
  return { clock, db, monitor, status: () => monitor.probe('db')?.status, ready: () => ready(monitor) };
}

const ready = (monitor: Monitor): boolean => monitor.group('readiness').healthy;

describe('before the first result', () => {
  test('a probe is unknown, says that it was not checked, and nothing is ready', async () => {
    const { monitor, clock, status } = watch(['hang'], { initialDelay: '1h', probes: [scriptedProbe('db')] });
    monitor.start();
    await clock.advance(30 * 60_000);
    expect(status()).toBe('unknown');
    expect(monitor.probe('db')?.output).toBe('not checked yet');
    expect(monitor.snapshot().status).toBe('unknown');
    expect(monitor.group('readiness')).toMatchObject({ status: 'unknown', healthy: false });
    expect(monitor.group('startup')).toMatchObject({ status: 'unknown', healthy: false });
  });

  test('liveness leaves the process alone: a restart needs a failure', () => {
    const { monitor } = watch([], { groups: { liveness: ['db'] } });
    expect(monitor.group('liveness')).toMatchObject({ status: 'unknown', healthy: true });
  });

  test('a monitor without probes is not ready until it has started', () => {
    const monitor = createMonitor({ clock: createFakeClock() });
    expect(ready(monitor)).toBe(false);
    expect(monitor.snapshot().status).toBe('unknown');
    monitor.start();
    expect(ready(monitor)).toBe(true);
  });

  test('failures below the threshold leave it unknown', async () => {
    const { monitor, clock, status, ready } = watch(['fail'], { failureThreshold: 3 });
    monitor.start();
    await clock.advance(1000);
    expect(status()).toBe('unknown');
    expect(monitor.probe('db')).toMatchObject({ consecutiveFailures: 2, output: 'scripted failure' });
    expect(ready()).toBe(false);
    await clock.advance(1000);
    expect(status()).toBe('fail');
  });
});

describe('thresholds', () => {
  test('a probe fails after as many failures in a row as asked, and passes after as many passes', async () => {
    const { monitor, clock, status } = watch(
      ['pass', 'pass', 'fail', 'fail', 'pass', 'fail', 'fail', 'fail', 'pass', 'fail', 'pass', 'pass'],
      { failureThreshold: 3, successThreshold: 2 },
    );
    monitor.start();
    const seen: unknown[] = [];
    for (let run = 0; run < 12; run += 1) {
      await clock.advance(run === 0 ? 0 : 1000);
      seen.push(status());
    }
    expect(seen).toEqual([
      'unknown',
      'pass',
      'pass',
      'pass',
      'pass',
      'pass',
      'pass',
      'fail',
      'fail',
      'fail',
      'fail',
      'pass',
    ]);
  });
});

describe('staleness', () => {
  test('is judged when read, even when no timer fires any more', async () => {
    const { monitor, clock, status, ready } = watch(['pass']);
    monitor.start();
    await clock.advance(0);
    clock.suspend(2500);
    expect(status()).toBe('pass');
    clock.suspend(1);
    expect(monitor.probe('db')).toMatchObject({ status: 'fail', stale: true, code: 'PROBE_STALE' });
    expect(ready()).toBe(false);
    clock.suspend(13 * HOUR);
    expect(ready()).toBe(false);
  });

  test('is told to listeners without a reader', async () => {
    const { monitor, clock } = watch(['pass', 'hang'], { timeout: '1h', staleAfter: '5s', interval: '1s' });
    const changes: string[] = [];
    monitor.on('change', (change) => changes.push(`${change.name} ${change.from} ${change.to}`));
    monitor.start();
    await clock.advance(5001);
    expect(changes).toContain('db pass fail');
  });

  test('is not ended by a failure that comes after it', async () => {
    const { monitor, clock, status } = watch(['pass', 'fail'], { failureThreshold: 3 });
    monitor.start();
    await clock.advance(0);
    clock.suspend(HOUR);
    await clock.advance(0);
    expect(monitor.probe('db')).toMatchObject({ status: 'fail', stale: false });
    await clock.advance(1000);
    expect(status()).toBe('fail');
  });

  test('ends with the passes that the threshold asks for', async () => {
    const { monitor, clock, status } = watch(['pass'], { successThreshold: 2 });
    monitor.start();
    await clock.advance(1000);
    clock.suspend(HOUR);
    await clock.advance(0);
    expect(status()).toBe('fail');
    await clock.advance(1000);
    expect(status()).toBe('pass');
  });

  test.each([HOUR, -HOUR])('does not follow a wall clock that jumps by %d ms', async (ms) => {
    const { monitor, clock, status, db } = watch(['pass']);
    monitor.start();
    await clock.advance(1000);
    clock.jump(ms);
    expect(status()).toBe('pass');
    expect(monitor.probe('db')?.stale).toBe(false);
    await clock.advance(1000);
    expect(db.runs).toBe(3);
    expect(monitor.probe('db')?.last?.durationMs).toBe(0);
    clock.suspend(2501);
    expect(status()).toBe('fail');
  });
});

describe('a run', () => {
  test('that is over its time is cancelled and has failed at that moment', async () => {
    const { monitor, clock, db } = watch(['hang']);
    monitor.start();
    await clock.advance(499);
    expect(db.running).toBe(1);
    await clock.advance(1);
    expect(db.running).toBe(0);
    expect(monitor.probe('db')).toMatchObject({
      status: 'fail',
      code: 'PROBE_TIMEOUT',
      output: 'no answer within 500 ms',
    });
  });

  test('that ignores its cancellation is never overlapped, and each turn counts one more failure', async () => {
    const { monitor, clock, db } = watch(['stuck', 'pass'], { failureThreshold: 3 });
    monitor.start();
    await clock.advance(500);
    expect(monitor.probe('db')).toMatchObject({ status: 'unknown', code: 'PROBE_TIMEOUT' });
    await clock.advance(2500);
    expect(monitor.probe('db')).toMatchObject({
      status: 'fail',
      code: 'PROBE_STUCK',
      consecutiveFailures: 4,
    });
    expect(db).toMatchObject({ runs: 1, mostRunning: 1 });
    db.release();
    await clock.advance(1000);
    expect(monitor.probe('db')?.status).toBe('pass');
    expect(db).toMatchObject({ runs: 2, mostRunning: 1 });
  });

  test('that is slower than the interval is not overlapped', async () => {
    const { monitor, clock, db } = watch(['hang'], { timeout: '3500ms', staleAfter: '10s' });
    monitor.start();
    await clock.advance(19_999);
    expect(db.mostRunning).toBe(1);
    expect(db.runs).toBe(5);
  });

  const settlesTwice = () =>
    new Promise<undefined>((resolve, reject) => {
      resolve(undefined);
      reject(new Error('second thoughts'));
    });
  const throwsSynchronously = probe('db', () => {
    throw new Error('at once');
  });
  test.each([
    ['throws synchronously', throwsSynchronously, 'fail', 'at once'],
    ['never settles', probe('db', () => new Promise<undefined>(() => {})), 'fail', 'no answer within 500 ms'],
    ['settles twice', probe('db', settlesTwice), 'pass', undefined],
    ['rejects with nothing', probe('db', () => Promise.reject()), 'fail', 'failed without a message'],
    [
      'returns false',
      probe('db', (() => false) as never),
      'fail',
      'the probe returned a boolean; expected nothing or an observation',
    ],
    [
      'returns a fetch response',
      probe('db', (() => ({ status: 200 })) as never),
      'fail',
      'the probe returned another status than "pass" or "warn", and a throw on failure',
    ],
    [
      'returns a value that is no number',
      probe('db', () => ({ value: Number.NaN })),
      'fail',
      'the probe returned another value than a finite number, a text or a boolean',
    ],
    [
      'returns an output that is no text',
      probe('db', (() => ({ output: 5 })) as never),
      'fail',
      'the probe returned another output than a text',
    ],
    [
      'throws an error whose message throws',
      probe('db', () => {
        throw Object.defineProperty(new Error(), 'message', {
          get() {
            throw new Error('no');
          },
        });
      }),
      'fail',
      'failed with an error that cannot be shown',
    ],
    [
      'returns an observation whose getter throws',
      probe('db', () => ({
        get value(): number {
          throw new Error('in a getter');
        },
      })),
      'fail',
      'in a getter',
    ],
  ] as const)('of a probe that %s ends in a result', async (_name, misbehaving, status, output) => {
    const { monitor, clock } = watch([], { probes: [misbehaving] });
    monitor.start();
    await clock.advance(500);
    expect(monitor.probe('db')?.status).toBe(status);
    expect(monitor.probe('db')?.output).toBe(output);
    await clock.advance(1000);
    expect(monitor.history('db').length).toBeGreaterThan(1);
  });

  test('that answers after its time-out changes nothing any more', async () => {
    const { monitor, clock, db } = watch(['stuck', 'hang']);
    monitor.start();
    await clock.advance(600);
    db.release();
    await clock.flush();
    expect(monitor.probe('db')).toMatchObject({ status: 'fail', code: 'PROBE_TIMEOUT' });
    expect(monitor.history('db')).toHaveLength(1);
  });
});

describe('asking for a run now', () => {
  test('five hundred at once share one run', async () => {
    const { monitor, clock, db } = watch(['hang']);
    const asked = Array.from({ length: 500 }, () => monitor.check('db'));
    await clock.advance(500);
    const views = await Promise.all(asked);
    expect(db.runs).toBe(1);
    expect(new Set(views.map((view) => view.code))).toEqual(new Set(['PROBE_TIMEOUT']));
  });

  test('while a run is stuck tells so, and counts no failure for each who asks', async () => {
    const { monitor, clock, db } = watch(['pass', 'stuck'], { failureThreshold: 3 });
    monitor.start();
    await clock.advance(1500);
    const views = await Promise.all(Array.from({ length: 500 }, () => monitor.check('db')));
    expect(views[0]).toMatchObject({ status: 'pass', consecutiveFailures: 1 });
    expect(db.runs).toBe(2);
  });

  test('works without start, and for a name that is unknown is refused', async () => {
    const { monitor } = watch(['pass']);
    expect(await monitor.check('db')).toMatchObject({ status: 'pass' });
    expect(ready(monitor)).toBe(true);
    await expect(monitor.check('cache')).rejects.toThrow(
      'check: expected a probe of this monitor (db), got "cache"',
    );
  });

  test('is refused when the monitor closes meanwhile, and afterwards', async () => {
    const { monitor, clock } = watch(['pass', 'hang']);
    await monitor.check('db');
    const asked = expect(monitor.check('db')).rejects.toMatchObject({ code: 'PROBE_CLOSED' });
    await clock.flush();
    await monitor.close();
    await asked;
    await expect(monitor.check('db')).rejects.toMatchObject({ code: 'PROBE_CLOSED' });
  });
});

describe('forgetting what is known', () => {
  test('makes a probe unknown until it has run, which it does at once, and thresholds count from nothing', async () => {
    const { monitor, clock, db, status, ready } = watch(['pass', 'fail'], { failureThreshold: 3 });
    monitor.start();
    await clock.advance(0);
    expect(ready()).toBe(true);
    const changes: string[] = [];
    monitor.on('change', ({ kind, from, to }) => void (kind === 'probe' && changes.push(`${from} ${to}`)));
    monitor.forget('db');
    expect(status()).toBe('unknown');
    expect(monitor.probe('db')).toMatchObject({ output: 'not checked yet', consecutiveSuccesses: 0 });
    expect(ready()).toBe(false);
    await clock.flush();
    expect(db.runs).toBe(2);
    expect(monitor.probe('db')).toMatchObject({ status: 'unknown', consecutiveFailures: 1 });
    await clock.advance(2000);
    expect(changes).toEqual(['pass unknown', 'unknown fail']);
    expect(monitor.history('db')).toHaveLength(4);
  });

  test('leaves a run out that began before, and runs again as soon as it has let go', async () => {
    const { monitor, clock, db, status } = watch(['stuck', 'fail']);
    monitor.start();
    await clock.advance(0);
    monitor.forget('db');
    expect(db.runs).toBe(1);
    db.release();
    await clock.flush();
    expect(db.runs).toBe(2);
    expect(db.mostRunning).toBe(1);
    expect(status()).toBe('fail');
    expect(monitor.history('db').map(({ outcome }) => outcome)).toEqual(['fail']);
  });

  test('does not hide that a run ignores its cancellation', async () => {
    const { monitor, clock, db } = watch(['stuck', 'pass']);
    monitor.start();
    await clock.advance(600);
    expect(monitor.probe('db')?.code).toBe('PROBE_TIMEOUT');
    monitor.forget('db');
    expect(monitor.probe('db')?.status).toBe('unknown');
    await clock.advance(400);
    expect(monitor.probe('db')).toMatchObject({ status: 'fail', code: 'PROBE_STUCK' });
    db.release();
    await clock.flush();
    expect(monitor.probe('db')?.status).toBe('pass');
  });

  test('runs nothing that has never run, is paused or was closed, and refuses an unknown name', async () => {
    const { monitor, clock, db, status } = watch(['pass']);
    monitor.forget('db');
    await clock.flush();
    expect(db.runs).toBe(0);
    monitor.start();
    await clock.advance(0);
    monitor.pause();
    monitor.forget('db');
    await clock.flush();
    expect(db.runs).toBe(1);
    monitor.resume();
    expect(status()).toBe('unknown');
    expect(() => monitor.forget('cache')).toThrow(
      'forget: expected a probe of this monitor (db), got "cache"',
    );
    await monitor.close();
    monitor.forget('db');
    await clock.flush();
    expect(db.runs).toBe(1);
    expect(clock.timers).toBe(0);
  });
});

describe('groups', () => {
  const all = () => [scriptedProbe('api', 'fail'), scriptedProbe('db', 'pass')];

  test('answer for their own members only', async () => {
    const { monitor, clock } = watch([], {
      probes: all(),
      groups: { liveness: ['api'], readiness: ['db'], reports: ['api', 'db'] },
    });
    monitor.start();
    await clock.advance(0);
    const { groups } = monitor.snapshot();
    expect(groups.liveness).toMatchObject({ status: 'fail', healthy: false });
    expect(groups.readiness).toMatchObject({ status: 'pass', healthy: true });
    expect(groups.startup).toMatchObject({ healthy: true, probes: ['db'] });
    expect(groups.reports).toMatchObject({ status: 'fail', healthy: false });
  });

  test('that name an unknown probe are refused, as are names twice and groups that are unknown', () => {
    const unknown = () => createMonitor({ probes: all(), groups: { readiness: ['db', 'cache'] } });
    expect(unknown).toThrow('groups.readiness: expected a probe of this monitor (api, db), got "cache"');
    const twice = () => createMonitor({ probes: [scriptedProbe('db'), scriptedProbe('db')] });
    expect(twice).toThrow('probes: expected each name once, got "db"');
    const { monitor } = watch([]);
    expect(() => monitor.group('reports')).toThrow(
      'expected one of liveness, readiness, startup, got "reports"',
    );
  });

  test('are not made to fail by a probe that is not critical', async () => {
    const [api, db] = all();
    const { monitor, clock } = watch([], { probes: [{ probe: api as never, critical: false }, db as never] });
    monitor.start();
    await clock.advance(0);
    expect(monitor.group('readiness')).toMatchObject({ status: 'warn', healthy: true });
    expect(monitor.probe('api')?.status).toBe('fail');
  });

  test('startup stays reached once it was', async () => {
    const { monitor, clock, ready } = watch(['pass', 'fail']);
    monitor.start();
    await clock.advance(1000);
    expect(ready()).toBe(false);
    expect(monitor.group('startup').healthy).toBe(true);
  });

  test('liveness does not fail during the start-up grace, which ends with the first success', async () => {
    const groups = { liveness: ['db'] };
    const late = watch(['fail'], { groups, startupGrace: '10s' });
    late.monitor.start();
    await late.clock.advance(9999);
    expect(late.monitor.group('liveness')).toMatchObject({ status: 'fail', healthy: true });
    await late.clock.advance(1);
    expect(late.monitor.group('liveness').healthy).toBe(false);

    const early = watch(['pass', 'fail'], { groups, startupGrace: '10s' });
    early.monitor.start();
    await early.clock.advance(1000);
    expect(early.monitor.group('liveness').healthy).toBe(false);
  });
});

describe('a pause', () => {
  test('runs nothing, shows as paused and never as healthy, and is followed by unknown', async () => {
    const { monitor, clock, db, status, ready } = watch(['pass']);
    monitor.start();
    await clock.advance(1000);
    monitor.pause({ reason: 'migration with password=hunter2' });
    expect(status()).toBe('paused');
    expect(monitor.probe('db')?.output).toBe('paused: migration with password=***');
    expect(monitor.snapshot().pause?.reason).toBe('migration with password=***');
    expect(ready()).toBe(false);
    const { runs } = db;
    await clock.advance(HOUR);
    expect(db.runs).toBe(runs);
    monitor.resume();
    expect(status()).toBe('unknown');
    await clock.advance(1000);
    expect(status()).toBe('pass');
    expect(monitor.snapshot().pause).toBeUndefined();
  });

  test('with a window begins and ends by itself', async () => {
    const { monitor, clock, status } = watch(['pass']);
    monitor.start();
    await clock.advance(1000);
    monitor.pause({ from: new Date(clock.now() + 10_000), until: new Date(clock.now() + 20_000) });
    await clock.advance(9000);
    expect(status()).toBe('pass');
    await clock.advance(1000);
    expect(status()).toBe('paused');
    await clock.advance(10_000);
    expect(['unknown', 'pass']).toContain(status());
    await clock.advance(1000);
    expect(status()).toBe('pass');
  });

  test('of some probes leaves the others alone, and one of an unknown probe is refused', async () => {
    const { monitor, clock } = watch([], { probes: [scriptedProbe('api'), scriptedProbe('db')] });
    monitor.start();
    await clock.advance(0);
    monitor.pause({ probes: ['api'] });
    expect(monitor.snapshot().probes.map(({ status }) => status)).toEqual(['paused', 'pass']);
    expect(() => monitor.pause({ probes: ['cache'] })).toThrow(
      'pause.probes: expected a probe of this monitor',
    );
    expect(() => monitor.pause({ until: new Date(0) })).toThrow('pause.until: expected a time after');
  });
});

describe('listeners', () => {
  test('are told of each change of a probe and a group once, and of each run', async () => {
    const { monitor, clock } = watch(['pass', 'pass', 'fail', 'pass']);
    const changes: string[] = [];
    let runs = 0;
    monitor.on('change', ({ kind, name, from, to }) => changes.push(`${kind} ${name}: ${from} → ${to}`));
    const off = monitor.on('run', () => {
      runs += 1;
    });
    monitor.start();
    await clock.advance(3000);
    expect(changes).toEqual([
      'group liveness: unknown → pass',
      'probe db: unknown → pass',
      'group readiness: unknown → pass',
      'group startup: unknown → pass',
      'probe db: pass → fail',
      'group readiness: pass → fail',
      'probe db: fail → pass',
      'group readiness: fail → pass',
    ]);
    expect(runs).toBe(4);
    off();
    await clock.advance(1000);
    expect(runs).toBe(4);
  });

  test('that throw or reject harm neither the probes nor each other', async () => {
    const { monitor, clock, db } = watch(['pass']);
    let told = 0;
    monitor.on('run', () => {
      throw new Error('listener');
    });
    monitor.on('run', async () => {
      throw new Error('asynchronous listener');
    });
    monitor.on('run', () => {
      told += 1;
    });
    monitor.start();
    await clock.advance(2000);
    expect([db.runs, told]).toEqual([3, 3]);
  });

  test('that throw or reject are told of, where somebody wants to know', async () => {
    const told: string[] = [];
    const clock = createFakeClock();
    const monitor = createMonitor({
      probes: [scriptedProbe('db', 'pass')],
      clock,
      onListenerError(error, event) {
        told.push(`${event}: ${(error as Error).message}`);
        throw new Error('nor does this harm anyone');
      },
    });
    monitor.on('run', () => {
      throw new Error('thrown');
    });
    monitor.on('run', async () => {
      throw new Error('rejected');
    });
    monitor.start();
    await clock.advance(1000);
    expect(told).toEqual(['run: thrown', 'run: rejected']);
  });

  test('may add, remove and pause from inside', async () => {
    const { monitor, clock } = watch(['pass']);
    monitor.on('change', (change) => {
      if (change.name !== 'db' || change.to !== 'pass') return;
      monitor.add(scriptedProbe('cache'));
      monitor.pause({ probes: ['cache'] });
      void monitor.remove('db');
    });
    monitor.start();
    await clock.advance(5000);
    expect(monitor.snapshot().probes.map(({ name }) => name)).toEqual(['cache']);
  });
});

describe('while it runs', () => {
  test('a probe can be added, which is unknown first, and removed, which closes it', async () => {
    const { monitor, clock, ready } = watch(['pass']);
    monitor.start();
    await clock.advance(1000);
    const cache = scriptedProbe('cache', 'pass');
    monitor.add(cache, { groups: ['liveness'] });
    expect(ready()).toBe(false);
    await clock.advance(0);
    expect(ready()).toBe(true);
    expect(monitor.group('liveness').probes).toEqual(['cache']);
    expect(await monitor.remove('cache')).toBe(true);
    expect(await monitor.remove('cache')).toBe(false);
    await clock.advance(5000);
    expect(cache).toMatchObject({ runs: 1, closed: 1 });
    expect(monitor.group('liveness').probes).toEqual([]);
    expect(monitor.history('cache')).toEqual([]);
  });

  test('first runs are spread and jittered inside the interval', async () => {
    const probes = Array.from({ length: 10 }, (_, index) => scriptedProbe(`p${index}`));
    const { monitor, clock } = watch([], { probes, spread: '1s', random: () => 0.5 });
    const started: number[] = [];
    monitor.on('run', ({ result }) => started.push(result.at));
    const zero = clock.now();
    monitor.start();
    await clock.advance(999);
    expect(started.map((at) => Math.round(at - zero))).toEqual([
      50, 150, 250, 350, 450, 550, 650, 750, 850, 950,
    ]);
  });
});

describe('closing', () => {
  test('ends the runs, closes every probe once, and leaves no timer and nothing healthy', async () => {
    const { monitor, clock, db, status, ready } = watch(['pass', 'hang']);
    monitor.start();
    await clock.advance(1100);
    expect(db.running).toBe(1);
    await monitor.close();
    await monitor.close();
    expect(db).toMatchObject({ running: 0, closed: 1 });
    expect(clock.timers).toBe(0);
    expect(status()).toBe('unknown');
    expect(ready()).toBe(false);
    monitor.start();
    await clock.advance(10_000);
    expect(db.runs).toBe(2);
    expect(() => monitor.add(scriptedProbe('cache'))).toThrow('the monitor was closed');
  });

  test('does not wait for ever for a probe that cannot close', async () => {
    const { monitor, clock } = watch([], {
      probes: [probe('db', () => undefined, { close: () => new Promise(() => {}) })],
    });
    monitor.start();
    const closing = monitor.close();
    await clock.advance(500);
    await closing;
    expect(clock.timers).toBe(0);
  });
});

describe('options that cannot work are refused in words', () => {
  test.each<[MonitorOptions, string]>([
    [
      { interval: '5 sec' },
      'db.interval: expected a duration of at least 10 ms, such as 250ms, 5s or 2m, got "5 sec"',
    ],
    [{ interval: 1 }, 'db.interval: expected a duration of at least 10 ms'],
    [{ timeout: 0 }, 'db.timeout: expected a duration of at least 1 ms'],
    [{ staleAfter: '1s' }, 'db.staleAfter: expected more than the interval of 1000 ms, got 1000'],
    [{ failureThreshold: 0 }, 'db.failureThreshold: expected a whole number of at least 1, got 0'],
    [{ successThreshold: 1.5 }, 'db.successThreshold: expected a whole number of at least 1, got 1.5'],
    [{ history: { results: 0 } }, 'history.results: expected a whole number of at least 1, got 0'],
    [{ groups: { readiness: 'db' as never } }, 'groups.readiness: expected a list of probe names, got "db"'],
  ])('%j', (options, message) => {
    expect(() => watch([], options)).toThrow(message);
  });
});
