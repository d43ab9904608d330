import { describe, expect, it } from 'vitest';
import { type Bot, BotError } from '../../../src/bot/bot.ts';
import { createDrainer } from '../../../src/drain/drain.ts';
import type { Receipt, ReceiptLog } from '../../../src/drain/receipts.ts';
import { createLeases } from '../../../src/lease/leases.ts';

const DRAINED_AT = '2026-01-31T12:00:00.000Z';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A drainer of a bot that is either well or gone, whose boot an earlier drain left flat. */
function drainerOf({ gone, lastTraded = null }: { gone: boolean; lastTraded?: number | null }) {
  const calls: string[] = [];
  const leases = createLeases(1);
  const letGo = leases.ask('boot-1');
  if (gone) letGo?.(true);
  const refused = new BotError('BOT_REFUSED', 'nothing listens there');
  const earlier = { state: 'flat', at: DRAINED_AT } as Receipt;
  const kept: Receipt[] = [];
  const receipts: ReceiptLog = {
    append: async (receipt) => void kept.push(receipt),
    newest: () => kept,
    last: () => kept.at(-1),
    lastOf: () => earlier,
    unfinished: () => undefined,
    worrying: () => undefined,
    acknowledge: () => false,
    acknowledgedAt: () => null,
    problem: () => null,
  };
  const bot = {
    pace: { readEveryMs: 5, closeAgainAfterMs: 100 },
    close: async () => {
      calls.push('close');
      if (gone) throw refused;
      return { left: { open: 0, pending: 0, detail: { open: null, pending: null } }, done: true };
    },
    positions: async () => {
      if (gone) throw refused;
      return { open: 0, pending: 0, detail: { open: null, pending: null } };
    },
  } as unknown as Bot;
  const drainer = createDrainer({
    bot,
    leases,
    receipts,
    log: silent,
    drainTimeoutMs: 1_000,
    closeTimeoutMs: 200,
    reserveMs: 500,
    currentInstance: () => 'boot-1',
    lastTraded: () => lastTraded,
  });
  return { drainer, calls, kept };
}

describe('a bot that is gone, and whose boot was drained flat', () => {
  it.each([
    ['was not seen trading at all', null],
    ['was last seen trading before that', Date.parse(DRAINED_AT) - 1],
  ])('needs nothing when it %s', async (_, lastTraded) => {
    const { drainer } = drainerOf({ gone: true, lastTraded });
    expect(await drainer.drain('SIGTERM')).toMatchObject({ state: 'nothing_to_do' });
  });

  it('is not flat when it was seen trading since: that receipt vouches for nothing', async () => {
    const { drainer } = drainerOf({ gone: true, lastTraded: Date.parse(DRAINED_AT) + 1 });
    expect(await drainer.drain('SIGTERM')).toMatchObject({ state: 'not_flat', open_positions: null });
  });
});

describe('after its end, and before the process has ended,', () => {
  it.each(['SIGTERM', 'SIGINT', 'http'] as const)(
    'the drain of a signal is not begun again by %s',
    async (second) => {
      const { drainer, calls, kept } = drainerOf({ gone: false });
      const first = await drainer.drain('SIGTERM');
      expect(first.state).toBe('flat');
      expect(await drainer.drain(second)).toBe(first);
      expect(await drainer.abandon('SIGQUIT')).toBeNull();
      expect(calls).toEqual(['close']);
      expect(kept.map(({ state }) => state)).toEqual(['started', 'flat']);
    },
  );

  it('the drain of a call may be followed by another', async () => {
    const { drainer, calls } = drainerOf({ gone: false });
    const first = await drainer.drain('http');
    const second = await drainer.drain('SIGTERM');
    expect(second.drain_id).not.toBe(first.drain_id);
    expect(calls).toEqual(['close', 'close']);
  });
});
