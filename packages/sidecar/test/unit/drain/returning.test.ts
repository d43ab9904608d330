import { expect, it } from 'vitest';
import type { Receipt } from '../../../src/drain/receipts.ts';
import { decideOnReturn, type Found } from '../../../src/drain/returning.ts';

const receipt = (state: Receipt['state'], more: Partial<Receipt> = {}): Receipt => ({
  drain_id: `drain-${state}`,
  trigger: 'SIGTERM',
  state,
  at: '2026-01-31T12:00:03.000Z',
  started_at: '2026-01-31T12:00:00.000Z',
  duration_ms: 3_000,
  boot: null,
  proof: [],
  bot_instance: 'a',
  attempts: 1,
  open_positions: 0,
  pending_orders: 0,
  reason: '',
  ...more,
});
const found = (more: Partial<Found>): Found => ({
  unfinished: undefined,
  receipts: [],
  instance: 'a',
  boot: null,
  onHold: false,
  trading: 'halted',
  ...more,
});

it.each([
  ['nothing was ever drained', found({}), 'nothing'],
  ['this boot was drained flat by a signal', found({ receipts: [receipt('flat')] }), 'restart-bot'],
  ['this boot was drained in vain by a signal', found({ receipts: [receipt('not_flat')] }), 'restart-bot'],
  ['its drain was abandoned', found({ receipts: [receipt('abandoned')] }), 'restart-bot'],
  [
    'a person had it drained',
    found({ onHold: true, receipts: [receipt('flat', { trigger: 'http' })] }),
    'leave-halted-warn',
  ],
  [
    'a person had it drained, and then the sidecar alone was stopped',
    found({ onHold: true, receipts: [receipt('flat'), receipt('flat', { trigger: 'http' })] }),
    'leave-halted-warn',
  ],
  [
    'its gate had it drained, and will end it',
    found({ receipts: [receipt('flat', { trigger: 'http' })] }),
    'nothing',
  ],
  [
    'its gate names it, and the bot does not',
    found({ instance: null, boot: 'A', receipts: [receipt('flat', { boot: 'A', bot_instance: null })] }),
    'restart-bot',
  ],
  [
    'its drain was abandoned before the bot was asked anything',
    found({ trading: null, receipts: [receipt('abandoned', { attempts: 0 })] }),
    'nothing',
  ],
  [
    'its drain failed, and it does not say whether it trades',
    found({ trading: null, receipts: [receipt('not_flat')] }),
    'nothing',
  ],
  [
    'a person had it drained, and then it was gone for a while',
    found({ onHold: true, receipts: [receipt('nothing_to_do'), receipt('flat', { trigger: 'http' })] }),
    'leave-halted-warn',
  ],
  ['another boot was drained', found({ receipts: [receipt('flat', { bot_instance: 'b' })] }), 'nothing'],
  ['it does not say which boot it is', found({ instance: null, receipts: [receipt('flat')] }), 'nothing'],
  ['it trades', found({ trading: 'running', receipts: [receipt('flat')] }), 'nothing'],
  ['it does not say whether it trades', found({ trading: null, receipts: [receipt('flat')] }), 'restart-bot'],
  [
    'a drain was never ended',
    found({ unfinished: receipt('started'), receipts: [receipt('started')] }),
    'unfinished',
  ],
  [
    'a drain was never ended, and no bot answers',
    found({ unfinished: receipt('started'), instance: null }),
    'unfinished',
  ],
] as const)('%s: %3$s', (_, what, action) => {
  expect(decideOnReturn(what).action).toBe(action);
});

it('says which drain and which boot a person has to look at', () => {
  const decision = decideOnReturn(found({ unfinished: receipt('started') }));
  expect(decision).toMatchObject({ sentence: expect.stringMatching(/drain-started .*boot a may be open/) });
});
