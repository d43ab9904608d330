import type { Check, Receipt, Report } from '../../src/watch/answers.ts';
import type { BotView } from '../../src/watch/bots.ts';
import { verdictOf } from '../../src/watch/verdict.ts';

/** A probe that passes, unless told otherwise. */
export function check(name: string, more: Partial<Check> = {}): Check {
  return {
    name,
    state: 'pass',
    critical: true,
    since: 1000,
    at: 2000,
    measured: null,
    responseMs: 12,
    output: null,
    code: null,
    ...more,
  };
}

/** What a sidecar tells of a healthy bot, unless told otherwise. */
export function report(more: Partial<Report> = {}): Report {
  return {
    status: 'pass',
    notes: [],
    checks: [check('api'), check('database'), check('models')],
    bot: { name: 'btc', instance: 'boot-1', trading: 'running', database: 'connected', lastTickAt: 2000 },
    positions: { open: 2, pending: 1, at: 2000, positions: null, orders: null },
    hold: null,
    vanished: null,
    acknowledgedAt: null,
    undelivered: 0,
    drain: { active: false, unfinished: false },
    heal: { live: true, reason: null, lastHour: 0, capped: false, boot: 'boot-1', bootsUnasked: 0 },
    ...more,
  };
}

/** A receipt of a drain that ended flat, unless told otherwise. */
export function receipt(id: string, more: Partial<Receipt> = {}): Receipt {
  return {
    id,
    trigger: 'SIGTERM',
    state: 'flat',
    at: 5000,
    startedAt: 3000,
    durationMs: 2000,
    boot: 'boot-1',
    instance: 'boot-1',
    proof: ['bot'],
    attempts: 1,
    open: 0,
    pending: 0,
    reason: 'flat was proven',
    ...more,
  };
}

/** A bot in touch, with that report. */
export function view(more: Partial<BotView> = {}): BotView {
  const told = more.report === undefined ? report() : more.report;
  const inTouch = more.inTouch ?? true;
  return {
    name: 'btc',
    inTouch,
    drainsProblem: null,
    heardAt: 2000,
    report: told,
    drain: null,
    drains: [],
    hasToken: false,
    verdict: verdictOf({
      report: told,
      inTouch,
      problem: inTouch ? null : 'no answer',
      drainsProblem: more.drainsProblem ?? null,
    }),
    ...more,
  };
}
