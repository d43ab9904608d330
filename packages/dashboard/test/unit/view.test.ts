import { describe, expect, it } from 'vitest';
import { createHistory } from '../../src/history/history.ts';
import { askAgain, askToken } from '../../src/view/drain-now.ts';
import { html } from '../../src/view/html.ts';
import { livePage } from '../../src/view/page.ts';
import { parseReceipts, parseReport } from '../../src/watch/answers.ts';
import { drainsOf } from '../../src/watch/drains.ts';
import { verdictOf } from '../../src/watch/verdict.ts';
import { view } from './sample.ts';

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
    bot: { instance: EVIL, trading: 'running' },
    heal: { live: true, reason: EVIL },
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
    canDrain: true,
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
    expect(askToken(view())).not.toContain('value=');
    expect(askAgain(view(), 'the-ticket')).toContain('the-ticket');
  });
  it('says so when what is open is not fresh', () => {
    expect(askAgain(view({ inTouch: false }), 't')).toContain('The sidecar does not answer');
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
