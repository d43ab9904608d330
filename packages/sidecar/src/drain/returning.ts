import type { Receipt } from './receipts.ts';

/** What a sidecar finds when it starts. */
export interface Found {
  /** The receipt of a drain that an earlier process never ended; from `receipts.unfinished()`. */
  readonly unfinished: Receipt | undefined;
  /** The receipts, newest first; from `receipts.newest()`. */
  readonly receipts: readonly Receipt[];
  /** The boot of the bot that answers now; null while none does, or where the bot does not say. */
  readonly instance: string | null;
  /** The boot whose gate holds the lease; null where none does. */
  readonly boot: string | null;
  /** A person's drain stands. */
  readonly onHold: boolean;
  /** What that boot says of its trading. */
  readonly trading: 'running' | 'halted' | null;
}

/**
 * - `unfinished`: an earlier process died in the middle of a drain: positions may be open, and nobody knows. Said
 *   loudly and shown until the next drain; nothing is restarted, since a restart would let the bot trade on.
 * - `restart-bot`: the boot that runs was drained by this sidecar's own end. The sidecar is back, the bot is halted
 *   for good: it is asked to restart, once.
 * - `leave-halted-warn`: a person had it drained over HTTP, and the hold stands. It stays halted until that is lifted.
 * - `nothing`
 */
export type ReturnDecision =
  | { readonly action: 'nothing' }
  | {
      readonly action: 'unfinished' | 'restart-bot' | 'leave-halted-warn';
      readonly receipt: Receipt;
      readonly sentence: string;
    };

/**
 * Decides what a sidecar that starts does about earlier drains. Ask it once at the start (for `unfinished`), and once
 * more when the bot has first told its instance.
 */
export function decideOnReturn(found: Found): ReturnDecision {
  const { unfinished, instance, trading } = found;
  if (unfinished !== undefined) {
    return {
      action: 'unfinished',
      receipt: unfinished,
      sentence:
        `Drain ${unfinished.drain_id} (${unfinished.trigger}, ${unfinished.started_at}) was started and never ended: the sidecar ` +
        `died in the middle of it, and positions of boot ${unfinished.bot_instance ?? 'unknown'} may be open. Check them, then drain again.`,
    };
  }
  const { boot } = found;
  if ((instance === null && boot === null) || trading === 'running') return { action: 'nothing' };
  // A drain that found the bot gone changed nothing about it: the one before tells why it is halted.
  const receipt = found.receipts.find(
    (one) =>
      ((boot !== null && one.boot === boot) || (instance !== null && one.bot_instance === instance)) &&
      one.state !== 'nothing_to_do' &&
      one.state !== 'started',
  );
  if (receipt === undefined) return { action: 'nothing' };
  // One that never reached the bot, or may not have, halted nothing.
  if (receipt.attempts === 0 || (trading === null && receipt.state !== 'flat')) return { action: 'nothing' };
  const named = boot ?? instance;
  if (found.onHold) {
    return {
      action: 'leave-halted-warn',
      receipt,
      sentence: `Boot ${named} of the bot was drained at ${receipt.at} and stays halted: a person's hold stands.`,
    };
  }
  // A gate that asked for it ends the bot by itself.
  if (receipt.trigger === 'http') return { action: 'nothing' };
  return {
    action: 'restart-bot',
    receipt,
    sentence: `Boot ${named} of the bot was drained by ${receipt.trigger} at ${receipt.at} when the sidecar alone was stopped: it is asked to restart.`,
  };
}
