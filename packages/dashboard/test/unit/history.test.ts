import { describe, expect, it } from 'vitest';
import { allDrains, waitingFor } from '../../src/history/attention.ts';
import { createHistory, type Keepsake, type Past } from '../../src/history/history.ts';
import { type Strip, seen } from '../../src/history/strip.ts';
import { check, receipt, report, view } from './sample.ts';

const MINUTE = 60_000;
const nothingKept: Past = { minutes: [], quarters: [], events: [], drains: [], looked: [] };

const alarms = (...of: Parameters<typeof waitingFor>) => waitingFor(...of)?.drains ?? [];

function started(bots: readonly string[] = ['btc']) {
  const kept: Keepsake[] = [];
  const clock = { now: 100 * MINUTE };
  const history = createHistory(
    bots,
    (keepsake) => kept.push(keepsake),
    () => clock.now,
  );
  return { history, kept, clock };
}

describe('a strip', () => {
  const empty: Strip = { spanMs: MINUTE, cells: [] };
  it('keeps the worst of each span', () => {
    const strip = ([0, 3, 1] as const).reduce(
      (known, level, n) => seen(known, { at: n * 1000, level, responseMs: 10 }, 60),
      empty,
    );
    expect(strip.cells).toEqual([{ at: 0, worst: 3, runs: 3, timed: 3, totalMs: 30 }]);
  });
  it('never grows past its length, and forgets what is older', () => {
    let strip = empty;
    for (let minute = 0; minute < 500; minute += 1)
      strip = seen(strip, { at: minute * MINUTE, level: 0, responseMs: null }, 60);
    expect(strip.cells).toHaveLength(60);
    expect(strip.cells[0]?.at).toBe(440 * MINUTE);
  });
  it('has a hole where nothing was heard', () => {
    const strip = [0, 5].reduce(
      (known, minute) => seen(known, { at: minute * MINUTE, level: 0, responseMs: null }, 60),
      empty,
    );
    expect(strip.cells.map(({ at }) => at / MINUTE)).toEqual([0, 5]);
  });
});

describe('history', () => {
  it('tells what changed, and when', () => {
    const { history, clock } = started();
    history.observe(view(), true);
    clock.now += 1000;
    history.observe(
      view({
        report: report({
          status: 'fail',
          checks: [check('database', { state: 'fail', output: 'no answer' })],
        }),
      }),
      true,
    );
    expect(history.events('btc').map(({ at, text }) => [at - 100 * MINUTE, text])).toEqual([
      [1000, 'Healthy → Failing: database: no answer'],
      [1000, 'database: pass → fail: no answer'],
    ]);
    expect(history.lastError('btc', 'database')?.text).toBe('database: pass → fail: no answer');
  });

  it('hands a minute over once it is complete, and the last one at the end', () => {
    const { history, kept, clock } = started();
    const minutes = () => kept.filter((item) => item.kind === 'minute').length;
    history.observe(view(), true);
    expect(minutes()).toBe(0);
    clock.now += MINUTE;
    history.observe(view(), true);
    // The verdict and three probes.
    expect(minutes()).toBe(4);
    history.flush();
    expect(minutes()).toBe(8);
  });

  it('does not take what an out-of-touch sidecar said last for news', () => {
    const { history } = started();
    history.observe(view({ inTouch: false }), true);
    expect(history.hour('btc', 'api').cells).toEqual([]);
    expect(history.hour('btc', '').cells).toMatchObject([{ worst: 2 }]);
  });

  it('counts a look without an answer as unknown, and no check a second time', () => {
    const { history } = started();
    const told = view();
    history.observe(told, true);
    history.observe({ ...told }, true);
    expect(history.hour('btc', 'api').cells).toMatchObject([{ runs: 1, worst: 0 }]);
    expect(history.hour('btc', '').cells).toMatchObject([{ runs: 2, worst: 2 }]);
  });

  it('stays within bounds whatever a sidecar makes up', () => {
    const { history, clock } = started();
    for (let n = 0; n < 2000; n += 1) {
      clock.now += 1000;
      history.observe(
        view({
          report: report({
            checks: [check(`made-up-${n}`)],
            bot: { ...report().bot, instance: `boot-${n}` },
          }),
          drains: [{ receipt: receipt(`drain-${n}`), outcome: 'flat' }],
        }),
        true,
      );
    }
    expect(history.events('btc')).toHaveLength(200);
    expect(history.drains('btc').length).toBeLessThanOrEqual(100);
    const named = Array.from({ length: 2000 }, (_, n) => history.hour('btc', `made-up-${n}`).cells.length);
    expect(named.filter((length) => length > 0).length).toBeLessThanOrEqual(60);
  });

  it('finds the same drain only once, however often it is told', () => {
    const { history, kept } = started();
    const told = view({ drains: [{ receipt: receipt('a', { state: 'not_flat' }), outcome: 'not_flat' }] });
    history.observe(told, true);
    history.observe(told, true);
    expect(history.events('btc')).toHaveLength(1);
    expect(kept.filter(({ kind }) => kind === 'drain')).toHaveLength(1);
  });

  it('does not let a clock that is ahead keep a line on top', () => {
    const { history, clock } = started();
    history.observe(view({ drains: [{ receipt: receipt('a', { at: 8e15 }), outcome: 'flat' }] }), true);
    expect(history.events('btc')[0]?.at).toBe(clock.now);
  });
});

describe('a drain that ended not flat', () => {
  const bad = { receipt: receipt('a', { state: 'not_flat', open: 2 }), outcome: 'not_flat' } as const;
  it('alarms until its sidecar tells that a person has looked since', () => {
    const { history, kept } = started();
    const told = view({ drains: [bad] });
    history.observe(told, true);
    expect(alarms(told, history)).toHaveLength(1);
    const looked = (at: number) => view({ drains: [bad], report: report({ acknowledgedAt: at }) });
    // Somebody looked before it ended: nobody has looked at its end.
    history.observe(looked(4999), true);
    expect(alarms(told, history)).toHaveLength(1);
    history.observe(looked(5000), true);
    expect(waitingFor(told, history)).toBeNull();
    expect(allDrains(told, history)).toMatchObject([{ acknowledged: true }]);
    expect(history.events('btc').filter(({ kind }) => kind === 'acknowledged')).toHaveLength(2);
    expect(kept.filter(({ kind }) => kind === 'looked')).toHaveLength(2);
  });
  it('stays acknowledged when its sidecar has lost when that was', () => {
    const { history } = started();
    history.observe(view({ drains: [bad], report: report({ acknowledgedAt: 6000 }) }), true);
    history.observe(view({ drains: [bad] }), true);
    expect(alarms(view({ drains: [bad] }), history)).toEqual([]);
  });
  it('alarms still after any number of others, and within bounds of its own kind', () => {
    const { history } = started();
    const many = (count: number, state: 'flat' | 'not_flat', from: number) =>
      Array.from({ length: count }, (_, n) => ({
        receipt: receipt(`${state}-${n}`, { state, startedAt: from + n }),
        outcome: state,
      }));
    history.observe(view({ drains: [bad] }), true);
    history.observe(view({ drains: many(150, 'flat', 10_000) }), true);
    expect(alarms(view({ drains: [] }), history).map(({ receipt: { id } }) => id)).toEqual(['a']);
    history.observe(view({ drains: many(1_000, 'not_flat', 20_000) }), true);
    expect(history.drains('btc').length).toBeLessThanOrEqual(300);
  });
  it('alarms also when its sidecar has forgotten it', () => {
    const { history } = started();
    history.observe(view({ drains: [bad] }), true);
    expect(alarms(view({ drains: [] }), history)).toHaveLength(1);
  });
  it('alarms again after a restart, and not when it was acknowledged before', () => {
    const kept: Past = { ...nothingKept, drains: [{ bot: 'btc', receipt: bad.receipt }] };
    const first = started().history;
    first.recall(kept);
    expect(alarms(view({ drains: null }), first)).toHaveLength(1);
    const second = started().history;
    second.recall({ ...kept, looked: [{ bot: 'btc', at: 5000 }] });
    expect(alarms(view({ drains: null }), second)).toEqual([]);
  });
  it('is not made of one that may still be running', () => {
    const { history } = started();
    history.recall({ ...nothingKept, drains: [{ bot: 'btc', receipt: receipt('b', { state: 'started' }) }] });
    expect(alarms(view({ drains: null }), history)).toEqual([]);
    expect(alarms(view({ drains: [] }), history)).toMatchObject([{ outcome: 'cut_off' }]);
  });
});

describe('what waits for a person', () => {
  it.each([
    ['positions that vanished', report({ vanished: { boot: 'A', open: 2, nowOpen: 0 } }), true],
    ['restarts that have stopped', report({ heal: { ...report().heal, capped: true } }), true],
    ['nothing', report(), false],
  ])('%s', (_, told, waits) => {
    expect(waitingFor(view({ report: told }), started().history) !== null).toBe(waits);
  });
});

describe('the timeline tells', () => {
  const after = (was: Parameters<typeof report>[0], is: Parameters<typeof report>[0]) => {
    const { history } = started();
    history.observe(view({ report: report(was) }), true);
    history.observe(view({ report: report(is) }), true);
    return history.events('btc').map(({ text }) => text);
  };
  const { heal } = report();
  it.each([
    ['a hold', {}, { hold: { since: 1, reason: 'POST /drain' } }, 'The bot is on hold: POST /drain'],
    ['that it was lifted', { hold: { since: 1, reason: '' } }, {}, 'The hold was lifted'],
    [
      'positions that vanished, with both numbers',
      {},
      { vanished: { boot: 'A', open: 2, nowOpen: 1 } },
      'Positions vanished: boot A ended with 2 open, the next boot reports 1, and nothing closed them in between',
    ],
    ['alerts that do not arrive', {}, { undelivered: 2 }, 'Alerts of the sidecar are not delivered'],
    [
      'a restart of a bot that does not name its boot',
      { bot: { ...report().bot, instance: null } },
      { bot: { ...report().bot, instance: null }, heal: { ...heal, boot: 'boot-2' } },
      'The bot was restarted; this is boot boot-2',
    ],
  ] as const)('%s', (_, was, is, text) => {
    expect(after(was, is)).toContain(text);
  });
  it('no restart where only another name of the same boot is told', () => {
    expect(
      after({ heal: { ...heal, boot: null } }, { heal: { ...heal, boot: 'gate-name' } }).join(),
    ).not.toContain('restarted');
  });
});

it('what an earlier process kept comes before what is new', () => {
  const { history, clock } = started();
  history.observe(view(), true);
  history.recall({
    ...nothingKept,
    minutes: [
      { bot: 'btc', subject: 'api', at: clock.now - 5 * MINUTE, worst: 3, runs: 12, timed: 0, totalMs: 0 },
    ],
    quarters: [
      { bot: 'btc', subject: '', at: clock.now - 60 * MINUTE, worst: 1, runs: 1, timed: 0, totalMs: 0 },
    ],
    events: [
      {
        bot: 'btc',
        key: 'k',
        at: clock.now - MINUTE,
        kind: 'boot',
        subject: '',
        tone: 'caution',
        text: 'another boot',
      },
    ],
  });
  expect(history.hour('btc', 'api').cells.map(({ worst }) => worst)).toEqual([3, 0]);
  expect(history.day('btc').cells).toHaveLength(2);
  expect(history.events('btc').map(({ text }) => text)).toEqual(['another boot']);
});
