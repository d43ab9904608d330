import { createMonitor, type Monitor, probe, type Snapshot } from '@botwarden/probes';
import type { BootNames } from '../boots/vanished.ts';
import type { Bot } from '../bot/bot.ts';
import { type OpenItem, openItems } from './open-item.ts';
import { remade } from './remade.ts';

/** What is open at the bot, as last read. */
export interface OpenNow {
  readonly open_positions: number;
  readonly pending_orders: number;
  /** The first of them, reduced to what is shown; null where the bot tells only how many there are. */
  readonly open: readonly OpenItem[] | null;
  readonly pending: readonly OpenItem[] | null;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * Reads what is open now and then, to be shown; no decision rests on it. Apart from the probes, as a bot that cannot
 * tell its positions may still be ready; not while `spares` says that the bot's calls are needed elsewhere. `read`
 * gives null while unknown or too old, and the same object until the next read.
 */
export function watchOpenNow(
  bot: Bot,
  times: {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly spares?: () => boolean;
    /** The boot whose gate holds the lease; null where none does. */
    readonly boot?: () => string | null;
    /** Told of each read, with the names of the boot that was asked. */
    readonly seen?: (names: BootNames, open: number) => void;
    /** Masked in what is shown. */
    readonly secrets?: readonly string[];
  },
): { monitor: Monitor; read: () => OpenNow | null } {
  const { positions } = bot;
  let named: BootNames | null = null;
  let items: Pick<OpenNow, 'open' | 'pending'> = { open: null, pending: null };
  const monitor = createMonitor({
    interval: times.intervalMs,
    timeout: times.timeoutMs,
    failureThreshold: 1,
  });
  if (positions !== undefined) {
    monitor.add(
      probe('positions', async (signal) => {
        if (times.spares?.() === true)
          throw new Error('not read while a drain needs the calls that are left');
        const boot = times.boot?.() ?? null;
        const { open, pending, detail } = await positions(signal);
        // Asked after the positions, so that it names the boot that told them, or a later one. Once for each lease.
        if (boot === null || named?.boot !== boot)
          named = { boot, instance: (await bot.health?.(signal))?.instance ?? null };
        // A lease that changed hands in the middle: these may be the positions of either boot.
        if (boot === (times.boot?.() ?? null)) times.seen?.(named, open);
        items = {
          open: openItems(detail.open, times.secrets),
          pending: openItems(detail.pending, times.secrets),
        };
        return { details: { open, pending } };
      }),
    );
  }
  let seen = monitor.snapshot();
  const known = (): Snapshot => {
    if (!monitor.isCurrent(seen)) seen = monitor.snapshot();
    return seen;
  };
  const read = remade({ known, items: () => items }, ({ known, items }) => openNowOf(known, items));
  return { monitor, read };
}

function openNowOf(
  { probes: [positions] }: Snapshot,
  items: Pick<OpenNow, 'open' | 'pending'>,
): OpenNow | null {
  const { open, pending } = positions?.last?.details ?? {};
  if (positions?.status !== 'pass' || typeof open !== 'number' || typeof pending !== 'number') return null;
  return {
    open_positions: open,
    pending_orders: pending,
    ...items,
    at: new Date(positions.last?.at ?? 0).toISOString(),
  };
}
