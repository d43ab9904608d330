import { describe, expect, it } from 'vitest';
import { oneLine, parseDrain, parseReceipts, parseReport } from '../../src/watch/answers.ts';
import { verdictOf } from '../../src/watch/verdict.ts';

const good = {
  status: 'pass',
  checks: {
    'api:responseTime': [
      {
        componentId: 'api',
        status: 'pass',
        state: 'pass',
        critical: true,
        observedValue: 4,
        observedUnit: 'ms',
        since: '2026-01-02T03:04:05Z',
      },
    ],
    'tick:age': [
      {
        componentId: 'tick',
        status: 'pass',
        state: 'pass',
        critical: true,
        observedValue: 0.4,
        observedUnit: 's',
      },
    ],
  },
  bot: {
    instance: 'boot-1',
    trading: 'running',
    database: 'connected',
    last_tick_at: '2026-01-02T03:04:05Z',
  },
  positions: { open_positions: 2, pending_orders: 1, at: '2026-01-02T03:04:05Z' },
  drain: { active: false, unfinished: false },
  heal: { live: true, reason: null, heals_last_hour: 1, capped: false },
};

describe('an answer of a sidecar', () => {
  it('is read as it is meant', () => {
    const report = parseReport(good);
    expect(report).toMatchObject({
      status: 'pass',
      bot: { instance: 'boot-1', trading: 'running' },
      positions: { open: 2, pending: 1 },
      heal: { lastHour: 1 },
    });
    expect(report.checks).toMatchObject([
      {
        name: 'api',
        state: 'pass',
        responseMs: 4,
        measured: null,
        since: Date.parse('2026-01-02T03:04:05Z'),
      },
      { name: 'tick', state: 'pass', responseMs: null, measured: 'age 0.4 s' },
    ]);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['a list', []],
    ['a page', '<html>'],
    ['an object of something else', { hello: 'world' }],
    ['a status that is none', { ...good, status: 'PASS' }],
    ['a status that is a list', { ...good, status: ['pass'] }],
  ])('is refused when it is %s', (_, body) => {
    expect(() => parseReport(body)).toThrow(expect.objectContaining({ code: 'SIDECAR_ANSWER' }));
  });

  it.each([
    ['checks are a text', { checks: 'all fine' }],
    ['checks are a list', { checks: [1, 2] }],
    ['a check is null', { checks: { 'api:x': null } }],
    ['a check is an empty list', { checks: { 'api:x': [] } }],
    ['a check says no state', { checks: { 'api:x': [{ componentId: 'api' }] } }],
    [
      'a state is a word of its own',
      { checks: { 'api:x': [{ componentId: 'api', status: 'pass', state: 'splendid' }] } },
    ],
    [
      'a check says pass in one place and fail in another',
      { checks: { 'api:x': [{ componentId: 'api', status: 'fail', state: 'pass' }] } },
    ],
    [
      'a check says pass only beside the draft',
      { checks: { 'api:x': [{ componentId: 'api', state: 'pass' }] } },
    ],
  ])('never makes a healthy bot when %s', (_, more) => {
    expect(
      verdictOf({
        report: parseReport({ ...good, ...more }),
        inTouch: true,
        problem: null,
        drainsProblem: null,
      }).tone,
    ).not.toBe('good');
  });

  it.each([
    ['bot', 'x'],
    ['positions', { open_positions: '2', pending_orders: 0 }],
    ['positions', { open_positions: -1, pending_orders: 0 }],
    ['positions', []],
    ['drain', 'yes'],
    ['heal', 3],
    ['notes', 'x'],
  ])('is read without %s when that is %j', (key, value) => {
    const report = parseReport({ ...good, [key]: value });
    if (key === 'positions') expect(report.positions).toBeNull();
    expect(report.checks).toHaveLength(2);
  });

  it('tells a hold, what vanished, what is open and who looked when', () => {
    const items = Array.from({ length: 50 }, () => ({ symbol: 'BTC/USDT', side: 7, size: '0.5' }));
    const report = parseReport({
      ...good,
      positions: { open_positions: 50, pending_orders: 1, open: items, pending: null },
      hold: { since: '2026-01-02T03:04:05Z', reason: 'POST /drain' },
      vanished: { boot: 'A', open: 2, now_open: 0 },
      acknowledged_at: '2026-01-02T03:04:05Z',
      alerts: { undelivered: 3 },
    });
    const at = Date.parse('2026-01-02T03:04:05Z');
    expect(report).toMatchObject({
      hold: { since: at, reason: 'POST /drain' },
      vanished: { boot: 'A', open: 2, nowOpen: 0 },
      acknowledgedAt: at,
      undelivered: 3,
      positions: { orders: null },
    });
    expect(report.positions?.positions).toHaveLength(20);
    expect(report.positions?.positions?.[0]).toEqual({ symbol: 'BTC/USDT', side: null, size: '0.5' });
  });

  it('is cut to size', () => {
    const many = Object.fromEntries(
      Array.from({ length: 5000 }, (_, n) => [
        `p${n}:x`,
        [{ status: 'pass', state: 'pass', output: 'x'.repeat(5000) }],
      ]),
    );
    const report = parseReport({
      ...good,
      checks: many,
      notes: Array.from({ length: 5000 }, () => 'y'.repeat(5000)),
    });
    expect(report.checks.length).toBeLessThanOrEqual(40);
    expect(report.notes.length).toBeLessThanOrEqual(20);
    expect(JSON.stringify(report).length).toBeLessThan(40_000);
  });

  it('does not show credentials that a sidecar let through', () => {
    const report = parseReport({ ...good, notes: ['cannot reach postgres://bot:hunter2@db/bot'] });
    expect(report.notes.join()).not.toContain('hunter2');
  });

  it('keeps to one line that cannot turn the text around it', () => {
    expect(oneLine('a\u0000b\n\u202Ec\u2028d\ud800', 100)).toBe('a b c d');
    expect(oneLine('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
  });
});

describe('receipts', () => {
  const one = {
    drain_id: 'd1',
    trigger: 'SIGTERM',
    state: 'not_flat',
    at: '2026-01-02T03:04:05Z',
    started_at: '2026-01-02T03:04:00Z',
    duration_ms: 5000,
    bot_instance: 'boot-1',
    attempts: 3,
    open_positions: 2,
    pending_orders: null,
    reason: 'out of time',
  };
  it('are read, and those that are none are left out', () => {
    const read = parseReceipts({
      drains: [one, null, 'x', { ...one, drain_id: 7 }, { ...one, drain_id: 'd2', state: 'flat' }],
    });
    expect(read.map(({ id, state }) => [id, state])).toEqual([
      ['d1', 'not_flat'],
      ['d2', 'flat'],
    ]);
    expect(read[0]).toMatchObject({ open: 2, pending: null, durationMs: 5000 });
  });
  it('with a state of their own are an end that is not known', () => {
    expect(parseReceipts({ drains: [{ ...one, state: 'perfectly_flat' }] })[0]?.state).toBe('unknown');
  });
  it('have an id that is safe in an address', () => {
    expect(parseReceipts({ drains: [{ ...one, drain_id: '"><script>/../' }] })[0]?.id).toMatch(/^[\w.:-]+$/);
    // An address that ends in `..` would be another one.
    for (const drain_id of ['.', '..', '-..'])
      expect(parseReceipts({ drains: [{ ...one, drain_id }] })[0]?.id).toMatch(/^\w/);
  });
  it('are refused when there is no list', () => {
    expect(() => parseReceipts({ drains: 'none' })).toThrow(
      expect.objectContaining({ code: 'SIDECAR_ANSWER' }),
    );
  });
  it('of a drain that never was are nothing', () => {
    expect(parseDrain({ state: 'none' })).toBeNull();
    expect(() => parseDrain({ state: 'flat' })).toThrow();
  });
});
