import { describe, expect, it } from 'vitest';
import type { LogLine } from '../../../src/bot/freqtrade/calls.ts';
import { healthOf, needsLog } from '../../../src/bot/freqtrade/health.ts';
import type { Sight } from '../../../src/bot/freqtrade/worker.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const sight = (more: Partial<Sight> = {}): Sight => ({
  state: 'running',
  processedAt: NOW - 5_000,
  startedAt: NOW - 3_600_000,
  gapMs: 301_000,
  ...more,
});
const line = (secondsAgo: number, logger: string, text: string, level = 'INFO'): LogLine => ({
  at: NOW - secondsAgo * 1_000,
  logger,
  level,
  text,
});
const HEARTBEAT = line(20, 'freqtrade.worker', "Bot heartbeat. PID=1, version='2026.9', state='RUNNING'");
const STARTING = line(20, 'freqtrade.worker', 'Starting worker 2026.9');
const TIMED_OUT = line(
  3,
  'freqtrade.exchange.common',
  'fetch_ticker() returned exception: "timed out"',
  'WARNING',
);
const DIED = line(
  60,
  'freqtrade.worker',
  'OperationalException. Stopping trader ...\nTraceback (most recent call last):\nfreqtrade.exceptions.OperationalException: odd',
  'ERROR',
);
const told = (more: Partial<Sight> = {}, lines: readonly LogLine[] = [], openTrades: number | null = null) =>
  healthOf({ sight: sight(more), lines, openTrades });

describe('its health', () => {
  it('is of a freqtrade that trades', () => {
    expect(told()).toEqual({
      status: 'ok',
      instance: null,
      trading: 'running',
      lastTickAt: new Date(NOW - 5_000),
      database: null,
      dryRun: true,
      starting: false,
      ticksWhileHalted: true,
      tickGapMs: 301_000,
    });
  });

  it('goes on ticking while it is paused', () => {
    expect(told({ state: 'paused' })).toMatchObject({ trading: 'halted', ticksWhileHalted: true });
  });

  it.each<[string, Partial<Sight>, LogLine[], boolean]>([
    ['running, and no iteration has ended', { processedAt: null }, [], true],
    ['its start is not over', { state: 'stopped', processedAt: null }, [STARTING], true],
    ['stopped from the start', { state: 'stopped', processedAt: null }, [STARTING, HEARTBEAT], false],
    ['stopped later', { state: 'stopped' }, [], false],
  ])('knows whether it starts: %s', (_, more, lines, starting) => {
    expect(told(more, lines).starting).toBe(starting);
  });

  it.each<[string, LogLine[], number | null, string | undefined]>([
    ['stopped with nothing open', [], 0, undefined],
    [
      'stopped, and its trades cannot be read',
      [],
      null,
      'freqtrade was stopped, and does not tell what is open',
    ],
    ['stopped with trades', [], 2, 'freqtrade was stopped with 2 open trades that nobody manages'],
    [
      'died of an error',
      [DIED],
      0,
      'freqtrade stopped by an error (freqtrade.exceptions.OperationalException: odd)',
    ],
    ['died of an error with a trade', [DIED], 1, 'with 1 open trade that nobody manages'],
  ])('is at fault where a person is needed: %s', (_, lines, openTrades, fault) => {
    const health = told({ state: 'stopped' }, lines, openTrades);
    expect(health).toMatchObject({ trading: 'halted', lastTickAt: null, ticksWhileHalted: false });
    if (fault === undefined) expect(health.fault).toBeUndefined();
    else expect(health.fault).toContain(fault);
  });
});

describe('a tick that is old', () => {
  const OLD = { processedAt: NOW - 100_000 };

  it('makes one look into the log', () => {
    expect(needsLog(sight(), NOW)).toBe(false);
    expect(needsLog(sight(OLD), NOW)).toBe(true);
    expect(needsLog(sight({ state: 'stopped' }), NOW)).toBe(true);
    expect(needsLog(sight({ processedAt: null }), NOW)).toBe(false);
  });

  it.each<[string, LogLine[], number]>([
    ['stays as it is without a word in the log', [], 100],
    ['stays as it is where the log is older', [line(200, 'freqtrade.worker', 'x')], 100],
    ['is replaced by a line of the worker', [HEARTBEAT], 20],
    ['is replaced by a complaint about the exchange', [HEARTBEAT, TIMED_OUT], 3],
    ['is not replaced by what the API writes', [line(3, 'freqtrade.rpc.rpc', 'x', 'WARNING')], 100],
    ['is not replaced by what is no complaint', [line(3, 'freqtrade.exchange.exchange', 'x')], 100],
  ])('%s', (_, lines, secondsAgo) => {
    expect(told(OLD, lines).lastTickAt).toEqual(new Date(NOW - secondsAgo * 1_000));
  });

  it('is told with what the exchange does', () => {
    expect(told(OLD, [TIMED_OUT]).notice).toMatch(/trouble with its exchange.*timed out/);
    expect(told(OLD, [HEARTBEAT]).notice).toBeUndefined();
  });

  it('is excused by the exchange for a quarter of an hour', () => {
    const at = NOW - 1_000_000;
    expect(told({ processedAt: at }, [TIMED_OUT]).lastTickAt).toEqual(new Date(at));
  });
});
