import type { Receipt } from './receipts.ts';

/** What a sidecar finds when it starts. */
export interface Found {
  /** The receipt of a drain that an earlier process never ended; from `receipts.unfinished()`. */
  readonly unfinished: Receipt | undefined;
  /** The receipts, newest first; from `receipts.newest()`. */
  readonly receipts: readonly Receipt[];
  /** The boot of the bot that answers now; null while none does, or where the bot does not say. */
  readonly instance: string | null;
  /** What that boot says of its trading. */
  readonly trading: 'running' | 'halted' | null;
}

/**
 * - `unfinished`: an earlier process died in the middle of a drain: positions may be open, and nobody knows. Said
 *   loudly and shown until the next drain; nothing is restarted, since a restart would let the bot trade on.
 * - `restart-bot`: the boot that runs was drained by this sidecar's own end. The sidecar is back, the bot is halted
 *   for good: it is asked to restart, once.
 * - `leave-halted-warn`: a person had it drained over HTTP. It stays halted, and `/healthz` says `warn`.
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
  if (instance === null || trading === 'running') return { action: 'nothing' };
  // A drain that found the bot gone changed nothing about it: the one before tells why it is halted.
  const ended = found.receipts.filter(
    ({ bot_instance, state }) =>
      bot_instance === instance && state !== 'nothing_to_do' && state !== 'started',
  );
  // A person's wish outlives the stops of the sidecar that came after it.
  const receipt = ended.find(({ trigger, state }) => trigger === 'http' && state === 'flat') ?? ended[0];
  if (receipt === undefined) return { action: 'nothing' };
  // One that never reached the bot, or may not have, halted nothing.
  if (receipt.attempts === 0 || (trading === null && receipt.state !== 'flat')) return { action: 'nothing' };
  if (receipt.trigger === 'http') {
    return {
      action: 'leave-halted-warn',
      receipt,
      sentence: `Boot ${instance} of the bot was drained over HTTP at ${receipt.at} and stays halted until it is restarted.`,
    };
  }
  return {
    action: 'restart-bot',
    receipt,
    sentence: `Boot ${instance} of the bot was drained by ${receipt.trigger} at ${receipt.at} when the sidecar alone was stopped: it is asked to restart.`,
  };
}
