import { z } from 'zod';
import type { Alert } from '../alerts/alert.ts';
import type { Vanished } from '../drain/machine.ts';
import type { EventLog } from '../event-log.ts';
import type { StateFile } from '../state/state-file.ts';

const vanishedSchema = z.object({ boot: z.string(), open: z.number(), nowOpen: z.number() });

/** What `vanished.json` holds. */
export const positionsMemorySchema = z.object({
  last: z
    .object({ boot: z.string().nullable(), instance: z.string().nullable(), open: z.number() })
    .nullable(),
  vanished: vanishedSchema.nullable(),
});

/** A boot, as its gate names it and as the bot does; null where it is not named so. */
export interface BootNames {
  readonly boot: string | null;
  readonly instance: string | null;
}

/** What is remembered of the open positions of the boots. */
export interface PositionsMemory {
  /** How many the last boot had open when it was last looked at; null where it was closed since, or never seen. */
  readonly last: (BootNames & { readonly open: number }) | null;
  /** Positions of an earlier boot that the next one does not report, without a close in between. */
  readonly vanished: Vanished | null;
}

export const NOTHING_REMEMBERED: PositionsMemory = { last: null, vanished: null };

/** The memory after a look at the positions of a boot. Pure. */
export function remember(before: PositionsMemory, names: BootNames, open: number): PositionsMemory {
  const { last } = before;
  const fewer = last !== null && isAnother(last, names) && open < last.open;
  const vanished = fewer
    ? { boot: last.boot ?? last.instance ?? 'unknown', open: last.open, nowOpen: open }
    : before.vanished;
  const seenAgain = vanished !== null && open >= vanished.open;
  const same = last?.boot === names.boot && last.instance === names.instance && last.open === open;
  if (same && vanished === before.vanished && !seenAgain) return before;
  return { last: { ...names, open }, vanished: seenAgain ? null : vanished };
}

/** Whether these are two boots, as far as a name that both have tells. */
function isAnother(one: BootNames, other: BootNames): boolean {
  if (one.boot !== null && other.boot !== null) return one.boot !== other.boot;
  return one.instance !== null && other.instance !== null && one.instance !== other.instance;
}

/** Watches for positions that vanish between two boots. */
export interface VanishedPositions {
  /** Tells what was read: the boot that was asked, and how many positions it reports. */
  readonly seen: (names: BootNames, open: number) => void;
  /** The bot was asked to close: what it has open from now on is another matter. */
  readonly closed: () => void;
  /** What vanished and was not seen again, nor acknowledged. */
  readonly current: () => Vanished | null;
  /** The same as a sentence; null where nothing vanished. */
  readonly concern: () => string | null;
  /** A person has looked at the exchange. Gives what that ends; null where nothing vanished. */
  readonly acknowledge: () => Vanished | null;
}

/** What the watch is made of. */
export interface VanishedPositionsOptions {
  readonly file: Pick<StateFile<PositionsMemory>, 'load' | 'save'>;
  readonly alert: (alert: Alert) => void;
  readonly log: EventLog;
}

/** Reads what an earlier process kept; a look that came before that is told again to it. */
export function watchVanishedPositions({ file, alert, log }: VanishedPositionsOptions): VanishedPositions {
  let memory = NOTHING_REMEMBERED;
  /** Seen once: a boot that is still starting may not know its positions yet, so the alert waits for a second look. */
  let suspected: Vanished | null = null;
  let told: Vanished | null = null;
  let early: { readonly names: BootNames; readonly open: number } | null = null;
  let loaded = false;
  void file.load().then(({ value }) => {
    loaded = true;
    if (value !== null) memory = value;
    told = memory.vanished;
    if (early !== null) look(early.names, early.open);
  });

  function look(names: BootNames, open: number): void {
    const before = memory;
    memory = remember(before, names, open);
    if (memory !== before) file.save(memory);
    const { vanished } = memory;
    if (vanished !== null && vanished === suspected && vanished !== told) {
      told = vanished;
      const text = sentence(vanished);
      log.error({ event: 'positions.vanished', ...vanished }, text);
      alert({ key: `vanished:${vanished.boot}`, event: 'positions.vanished', severity: 'critical', text });
    }
    suspected = vanished;
  }

  return {
    seen(names, open) {
      if (loaded) look(names, open);
      else early = { names, open };
    },
    closed() {
      if (memory.last === null) return;
      memory = { ...memory, last: null };
      file.save(memory);
    },
    current: () => memory.vanished,
    concern: () => (memory.vanished === null ? null : sentence(memory.vanished)),
    acknowledge() {
      const { vanished } = memory;
      if (vanished === null) return null;
      memory = { ...memory, vanished: null };
      file.save(memory);
      return vanished;
    },
  };
}

const sentence = ({ boot, open, nowOpen }: Vanished): string =>
  `${open - nowOpen} position(s) vanished: boot ${boot} of the bot ended with ${open} open, the next one reports ${nowOpen}, ` +
  'and nothing closed them in between. Look at the exchange; then acknowledge it.';
