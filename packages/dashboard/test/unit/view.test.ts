import { describe, expect, it } from 'vitest';
import { createHistory } from '../../src/history/history.ts';
import { askAgain, askToken } from '../../src/view/asking.ts';
import { html } from '../../src/view/html.ts';
import { livePage } from '../../src/view/page.ts';
import { parseReceipts, parseReport } from '../../src/watch/answers.ts';
import { drainsOf } from '../../src/watch/drains.ts';
import { verdictOf } from '../../src/watch/verdict.ts';
import { receipt, report as told, view } from './sample.ts';

const EVIL = `<script>alert(1)</script>"><img src=x onerror=alert(2)>' onmouseover='alert(3)`;

describe('a template', () => {
  it('escapes every value, in text and in attributes', () => {
    const text = html`<p title="${EVIL}">${EVIL}</p>`.toString();
    expect(text).not.toMatch(/<script|<img|" onmouseover|' onmouseover='/);
    expect(text.match(/</g)).toHaveLength(2);
  });
  it('leaves markup that was made by a template as it is', () => {
    expect(html`<ul>${[1, 2].map((n) => html`<li>${n}</li>`)}</ul>`.toString()).toBe(
      '<ul><li>1</li><li>2</li></ul>',
    );
  });
  it('shows nothing for what is nothing', () => {
    expect(html`[${null}${undefined}${false}]`.toString()).toBe('[]');
  });
});

describe('a page about a bot whose every word is hostile', () => {
  const report = parseReport({
    status: 'warn',
    notes: [EVIL],
    output: EVIL,
    checks: {
      [`${EVIL}:x`]: [
        {
          componentId: EVIL,
          status: 'fail',
          state: 'fail',
          output: EVIL,
          code: EVIL,
          observedValue: EVIL,
          observedUnit: EVIL,
        },
      ],
    },
    bot: { name: EVIL, instance: EVIL, trading: 'running' },
    positions: {
      open_positions: 1,
      pending_orders: 1,
      open: [{ symbol: EVIL, side: EVIL, size: EVIL }],
      pending: [{ symbol: EVIL, side: EVIL, size: EVIL }],
    },
    hold: { since: EVIL, reason: EVIL },
    vanished: { boot: EVIL, open: 2, now_open: 0 },
    alerts: { undelivered: 2 },
    heal: { live: true, reason: EVIL, capped: true, boot: EVIL },
  });
  const drains = drainsOf({
    receipts: parseReceipts({
      drains: [
        {
          drain_id: EVIL,
          trigger: EVIL,
          state: 'not_flat',
          reason: EVIL,
          bot_instance: EVIL,
          boot: EVIL,
          proof: [EVIL, 'exchange'],
          started_at: EVIL,
        },
      ],
    }),
    current: null,
    active: false,
    unfinished: false,
  });
  const bot = view({
    report,
    drains,
    hasToken: true,
    verdict: verdictOf({ report, inTouch: true, problem: null, drainsProblem: null }),
  });
  const history = createHistory(['btc'], () => undefined);
  history.observe(bot, true);

  it.each(['section', 'card', 'alone'] as const)('shows them as text (%s)', (detail) => {
    const page = livePage({ views: [bot], history, detail, events: '/events', layout: 'x', now: Date.now() });
    expect(page).toContain('&lt;script&gt;');
    // The page's own script, and no other.
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain('<img');
    // Tags without the values of their attributes, in which a quote would have had to be.
    expect(page.replace(/="[^"]*"/g, '')).not.toMatch(/<[^>]*\son\w+/);
    expect(page).not.toMatch(/\sstyle=/);
  });
});

describe('a page that asks', () => {
  it('has no token in it', () => {
    expect(askToken('drain', view())).not.toContain('value=');
    expect(askAgain('drain', view(), 'the-ticket')).toContain('the-ticket');
  });
  it('says so when what is open is not fresh', () => {
    expect(askAgain('drain', view({ inTouch: false }), 't')).toContain('The sidecar does not answer');
  });
});

describe('the page of a bot', () => {
  const page = (more: Parameters<typeof view>[0]): string => {
    const history = createHistory(['btc'], () => undefined);
    const bot = view(more);
    history.observe(bot, true);
    return livePage({ views: [bot], history, detail: 'alone', events: '/events', layout: 'x', now: 5000 });
  };
  const items = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ symbol: `S${n}/USDT`, side: 'long', size: '0.25' }));

  it('shows what is open with symbol, side and size, and how many more there are', () => {
    const text = page({
      report: told({ positions: { open: 23, pending: 1, at: 2000, positions: items(20), orders: items(1) } }),
    });
    expect(text.match(/<td>Position<\/td>/g)).toHaveLength(20);
    expect(text).toContain('<td>S0/USDT</td><td>long</td><td class="size">0.25</td>');
    expect(text).toContain('and 3 more positions');
  });
  it('has no list where only the counts are told', () => {
    expect(page({})).not.toContain('<table');
  });
  it('shows a hold, and the button that lifts it only where a token is configured', () => {
    const report = told({ hold: { since: 1000, reason: 'look at the fees' } });
    expect(page({ report, hasToken: true })).toMatch(
      /On hold[\s\S]*look at the fees[\s\S]*\/bots\/btc\/lift/,
    );
    expect(page({ report })).not.toContain('/bots/btc/lift');
    expect(page({ report })).toContain('DELETE /hold');
  });
  it('shows positions that vanished with both numbers, and the button that ends it', () => {
    const report = told({ vanished: { boot: 'A', open: 3, nowOpen: 1 } });
    const text = page({ report, hasToken: true });
    expect(text).toContain('2 positions vanished: boot A ended with 3 open, the next boot reports 1');
    expect(text).toContain('/bots/btc/acknowledge');
    expect(page({ report })).not.toContain('/bots/btc/acknowledge');
    expect(text).toContain('data-title="NOT FLAT"');
  });
  it('says that restarts have stopped, and not that positions may be open', () => {
    const text = page({ report: told({ heal: { ...told().heal, capped: true } }), hasToken: true });
    expect(text).toContain('btc: restarts have stopped');
    expect(text).not.toContain('positions may be open');
  });
  it('shows alerts that are not delivered, restarts, starts that nobody asked for, and the name', () => {
    const text = page({
      report: told({
        undelivered: 2,
        bot: { ...told().bot, name: 'btc-perp-live' },
        heal: { ...told().heal, lastHour: 3, bootsUnasked: 4 },
      }),
    });
    expect(text).toContain('2 alerts of this bot were not delivered');
    expect(text).toContain('3 in the last hour');
    expect(text).toContain('4 in the last 10 minutes');
    expect(text).toContain('btc-perp-live');
  });
  it('shows of a receipt the boot, and who proved flat', () => {
    const proved = receipt('a', { boot: 'boot-9', proof: ['bot', 'sql', 'exchange'] });
    const text = page({ drains: [{ receipt: proved, outcome: 'flat' }] });
    expect(text).toContain('Proved flat by the bot, the database and the exchange.');
    expect(text).toContain('boot boot-9');
  });
  it('shows all that an older sidecar tells', () => {
    const report = parseReport({
      status: 'pass',
      checks: {},
      bot: { instance: 'b' },
      positions: { open_positions: 1, pending_orders: 0 },
      heal: { live: true, heals_last_hour: 0 },
    });
    const text = page({ report });
    expect(text).not.toMatch(/On hold|vanished|not delivered|Starts nobody|Name in alerts|<table/);
    expect(text).toContain('<b>1</b>');
  });
});

describe('a page that asks', () => {
  it('says before a drain that it sets a hold', () => {
    expect(askToken('drain', view())).toContain('It also sets a <strong>hold</strong>');
    expect(askAgain('drain', view(), 't')).toContain('stays on hold until somebody lifts the hold');
  });
  it('names what is open', () => {
    const positions = {
      open: 1,
      pending: 0,
      at: 2000,
      positions: [{ symbol: 'BTC/USDT', side: 'long', size: '0.5' }],
      orders: [],
    };
    expect(askToken('drain', view({ report: told({ positions }) }))).toContain(
      '1 position (BTC/USDT long 0.5) and 0 orders are open.',
    );
  });
});

describe('a page about a bot that is out of touch', () => {
  it('shows nothing in green', () => {
    const bot = view({ inTouch: false });
    const page = livePage({
      views: [bot],
      history: createHistory(['btc'], () => undefined),
      detail: 'section',
      events: '/events',
      layout: 'x',
      now: 5000,
    });
    expect(page).toContain('Out of touch');
    expect(page).toContain('was OK');
    expect(page).not.toMatch(/class="(?:badge|verdict) good"/);
  });
});
