import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/watch/answers.ts';
import { verdictOf } from '../../src/watch/verdict.ts';
import { check, report } from './sample.ts';

const inTouch = { inTouch: true, problem: null, drainsProblem: null };
const { heal } = report();

describe('the verdict on a bot whose sidecar answers', () => {
  const cases: ReadonlyArray<readonly [string, Report, string, string]> = [
    ['everything passes', report(), 'Healthy', 'good'],
    [
      'a critical probe fails',
      report({ status: 'fail', checks: [check('api', { state: 'fail' })] }),
      'Failing',
      'bad',
    ],
    ['the sidecar says fail and names no probe', report({ status: 'fail' }), 'Failing', 'bad'],
    [
      'the sidecar says pass and its own probe says fail',
      report({ checks: [check('api'), check('database', { state: 'fail' })] }),
      'Failing',
      'bad',
    ],
    ['a critical probe is stale', report({ checks: [check('api', { state: 'stale' })] }), 'Failing', 'bad'],
    [
      'nothing is known yet',
      report({ status: 'fail', checks: [check('api', { state: 'unknown' })] }),
      'Starting',
      'caution',
    ],
    [
      'probes are paused',
      report({ status: 'fail', checks: [check('api', { state: 'paused' })] }),
      'Paused',
      'caution',
    ],
    [
      'one is unknown and another fails',
      report({
        status: 'fail',
        checks: [check('api', { state: 'unknown' }), check('models', { state: 'fail' })],
      }),
      'Failing',
      'bad',
    ],
    [
      'a probe that is not critical fails',
      report({ checks: [check('api'), check('close-path', { state: 'fail', critical: false })] }),
      'Needs a look',
      'caution',
    ],
    [
      'the sidecar warns',
      report({ status: 'warn', notes: ['the last drain ended not_flat'] }),
      'Needs a look',
      'caution',
    ],
    [
      'trading is halted',
      report({ status: 'warn', bot: { ...report().bot, trading: 'halted' } }),
      'Halted',
      'caution',
    ],
    ['nothing is checked at all', report({ checks: [] }), 'Needs a look', 'caution'],
    [
      'a drain runs',
      report({ status: 'fail', drain: { active: true, unfinished: false } }),
      'Draining',
      'busy',
    ],
    [
      'a restart is asked for',
      report({ status: 'fail', heal: { ...heal, live: false, reason: 'api' } }),
      'Restart asked for',
      'bad',
    ],
    [
      'no restart helps any more',
      report({ status: 'fail', heal: { ...heal, capped: true } }),
      'Needs a person',
      'bad',
    ],
  ];
  it.each(cases)('when %s', (_, told, word, tone) => {
    expect(verdictOf({ report: told, ...inTouch })).toMatchObject({ word, tone });
  });

  it('is on hold while a hold stands, and leaves to the hold and to what vanished what is told there', () => {
    const told = report({
      status: 'warn',
      hold: { since: 1, reason: 'POST /drain' },
      vanished: { boot: 'A', open: 2, nowOpen: 0 },
      bot: { ...report().bot, trading: 'halted' },
      notes: [
        'on hold since 2026-01-01T00:00:00Z (POST /drain): nothing trades until the hold is lifted (DELETE /hold)',
        '2 position(s) vanished: boot A of the bot ended with 2 open, the next one reports 0',
        'nobody carries out restarts',
      ],
    });
    expect(verdictOf({ report: told, ...inTouch })).toMatchObject({
      word: 'On hold',
      because: ['nobody carries out restarts'],
    });
  });

  it('tells why, in the words of the probe', () => {
    const told = report({ checks: [check('database', { state: 'fail', output: 'no answer from db:5432' })] });
    expect(verdictOf({ report: told, ...inTouch }).because).toEqual(['database: no answer from db:5432']);
  });
});

describe('the verdict on a bot whose sidecar does not answer', () => {
  it('is never what it was', () => {
    const verdict = verdictOf({
      report: report(),
      inTouch: false,
      problem: 'no answer from http://sidecar:9400/healthz',
      drainsProblem: null,
    });
    expect(verdict).toMatchObject({ kind: 'out-of-touch', word: 'Out of touch', tone: 'unknown' });
    expect(verdict.because).toEqual(['no answer from http://sidecar:9400/healthz']);
  });
  it('is open before the first answer', () => {
    expect(verdictOf({ report: null, inTouch: false, problem: null, drainsProblem: null })).toMatchObject({
      kind: 'unheard',
      tone: 'unknown',
    });
  });
});

describe('the verdict on a bot whose drains cannot be read', () => {
  it('is not healthy: one of them may have left something open', () => {
    const verdict = verdictOf({ report: report(), ...inTouch, drainsProblem: 'answered 500' });
    expect(verdict).toMatchObject({ kind: 'look', tone: 'caution' });
    expect(verdict.because).toEqual(['its drains cannot be read: answered 500']);
  });
});
