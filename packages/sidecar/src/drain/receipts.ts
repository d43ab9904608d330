import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { EventLog } from '../event-log.ts';

const receiptSchema = z.object({
  drain_id: z.string().min(1),
  trigger: z.enum(['SIGTERM', 'SIGINT', 'http']),
  state: z.enum(['started', 'flat', 'not_flat', 'nothing_to_do', 'abandoned']),
  at: z.string(),
  started_at: z.string(),
  duration_ms: z.number(),
  bot_instance: z.string().nullable(),
  // Earlier versions wrote neither of these.
  boot: z.string().nullable().default(null),
  proof: z.array(z.enum(['bot', 'sql', 'exchange'])).default([]),
  attempts: z.number(),
  open_positions: z.number().nullable(),
  pending_orders: z.number().nullable(),
  reason: z.string(),
});

/** What starts a drain. */
export type Trigger = z.infer<typeof receiptSchema>['trigger'];

/** Who said that it is flat: the bot's own positions, FLAT_CHECK_SQL, FLAT_CHECK_URL. */
export type Proof = Receipt['proof'][number];

/**
 * One line of the drain log. `boot` is the boot as its gate names it, `bot_instance` as the bot does. `at` and `started_at` are ISO 8601, `duration_ms` counts from the signal; the two counts
 * are `null` when unknown. The lines of one drain share its `drain_id`: `started` first, then one that ends it.
 */
export type Receipt = z.infer<typeof receiptSchema>;

/** How a drain ended. */
export type Outcome = Exclude<Receipt['state'], 'started'>;

/** Why a receipt is not on disk. */
export class ReceiptError extends Error {
  override readonly name = 'ReceiptError';
  readonly code = 'DRAIN_LOG_UNWRITABLE';
}

/** Where the log is and how much of it is read. */
export interface ReceiptLogOptions {
  /** The `.jsonl` file; its directory is made if need be. */
  readonly path: string;
  readonly log: EventLog;
  /** How much of the end of the file is read at the start, in bytes. Default 1 MiB (some 2,500 receipts). */
  readonly readLimit?: number;
  /** How many receipts are kept in memory. Default 1,000. */
  readonly keep?: number;
}

/** The receipts: on disk for whoever comes next, in memory for whoever asks now. */
export interface ReceiptLog {
  /**
   * Writes one line and resolves when it is on disk (fsync). Rejects with a {@link ReceiptError} when that cannot be;
   * the receipt is then kept in memory all the same. A drain never waits for its paper: it goes on and says so.
   */
  readonly append: (receipt: Receipt) => Promise<void>;
  /** Newest first, at most `limit`. Read from memory. */
  readonly newest: (limit?: number) => readonly Receipt[];
  /** The newest line, whatever it says. */
  readonly last: () => Receipt | undefined;
  /** The newest line about one boot of the bot, by the name that its gate gave it or by the bot's own. */
  readonly lastOf: (boot: string) => Receipt | undefined;
  /**
   * The receipt of a drain that an earlier process started and never ended; undefined once another drain starts, or
   * once a person has acknowledged it.
   */
  readonly unfinished: () => Receipt | undefined;
  /**
   * A person has looked at the exchange: what ended badly until `at` (ISO 8601) needs no more looking at. False where
   * nothing did.
   */
  readonly acknowledge: (at: string) => boolean;
  /** When a person last looked at the exchange, ISO 8601; null when nobody has. */
  readonly acknowledgedAt: () => string | null;
  /** The newest receipt, where it tells of a drain that ended badly and that nobody has acknowledged. */
  readonly worrying: () => Receipt | undefined;
  /** Why receipts cannot be written at the moment, as a sentence; null while all is well. */
  readonly problem: () => string | null;
}

/**
 * Opens the drain log, and mends it: a last line that a crash tore is closed, kept as it is, and never read as a
 * receipt. Lines that are not receipts are skipped and counted in the log. Never rejects: closing positions matters more
 * than receipts, so where the file cannot be read or written, that is logged and shown by `problem`.
 */
export async function openReceiptLog(options: ReceiptLogOptions): Promise<ReceiptLog> {
  const { path, log, readLimit = 1024 * 1024, keep = 1_000 } = options;
  let receipts: Receipt[] = [];
  let problem: string | null = null;
  let torn = false;
  let queue: Promise<void> = Promise.resolve();

  try {
    await create(path);
    // Shows a read-only disk now, and not when the money is being closed.
    await (await open(path, 'a')).close();
    const tail = await readTail(path, readLimit);
    receipts = tail.receipts;
    torn = tail.torn;
    if (tail.skipped > 0) {
      log.warn(
        { event: 'receipts.skipped', path, lines: tail.skipped },
        `${tail.skipped} line(s) of the drain log are not receipts and were skipped`,
      );
    }
  } catch (error) {
    problem = say(path, error);
    log.error({ event: 'receipts.unwritable', path, code: 'DRAIN_LOG_UNWRITABLE' }, problem);
  }
  const memory = receiptsInMemory(receipts, keep);

  async function write(receipt: Receipt): Promise<void> {
    try {
      await create(path);
      const file = await open(path, 'a');
      try {
        // A torn line gets its end first, so that it spoils no line but itself.
        await file.appendFile(`${torn ? '\n' : ''}${JSON.stringify(receipt)}\n`);
        torn = false;
        await file.sync();
      } catch (error) {
        torn = true;
        throw error;
      } finally {
        await file.close();
      }
      problem = null;
    } catch (error) {
      problem = say(path, error);
      throw new ReceiptError(problem, { cause: error });
    }
  }

  return {
    ...memory,
    append(receipt) {
      void memory.append(receipt);
      const written = queue.then(() => write(receipt));
      queue = written.catch(() => undefined);
      return written;
    },
    problem: () => problem,
  };
}

/** Receipts that are kept nowhere else, for a drain that no later process has to know of. */
export function receiptsInMemory(earlier: readonly Receipt[] = [], keep = 1_000): ReceiptLog {
  let receipts = earlier.slice(-keep);
  let unfinished = withoutEnd(receipts);
  let acknowledgedAt = 0;
  const worrying = (): Receipt | undefined => {
    const last = receipts.at(-1);
    const bad = last?.state === 'not_flat' || last?.state === 'abandoned';
    return bad && Date.parse(last.at) > acknowledgedAt ? last : undefined;
  };
  return {
    async append(receipt) {
      receipts = [...receipts, receipt].slice(-keep);
      if (receipt.state === 'started') unfinished = undefined;
    },
    newest: (limit = 100) => receipts.slice(-limit).reverse(),
    last: () => receipts.at(-1),
    lastOf: (boot) => receipts.findLast((receipt) => receipt.boot === boot || receipt.bot_instance === boot),
    unfinished: () => unfinished,
    worrying,
    acknowledge(at) {
      const waited = unfinished !== undefined || worrying() !== undefined;
      acknowledgedAt = Math.max(acknowledgedAt, Date.parse(at));
      if (unfinished !== undefined && Date.parse(unfinished.at) <= acknowledgedAt) unfinished = undefined;
      return waited;
    },
    acknowledgedAt: () => (acknowledgedAt === 0 ? null : new Date(acknowledgedAt).toISOString()),
    problem: () => null,
  };
}

/** The `started` line of the newest drain, when nothing ended that drain. */
function withoutEnd(receipts: readonly Receipt[]): Receipt | undefined {
  const last = receipts.at(-1);
  return last?.state === 'started' ? last : undefined;
}

/** Makes directory and file where they are missing, and sees to it that their names survive a power cut. */
async function create(path: string): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true });
  let file: FileHandle;
  try {
    file = await open(path, 'ax', 0o644);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
  await file.close();
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch {
    // Some file systems cannot sync a directory; the file itself is still synced with each receipt.
  } finally {
    await handle.close();
  }
}

async function readTail(
  path: string,
  limit: number,
): Promise<{ receipts: Receipt[]; skipped: number; torn: boolean }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - limit);
    const buffer = Buffer.alloc(size - start);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
    const text = buffer.toString('utf8', 0, bytesRead);
    const lines = text.split('\n');
    // A read that begins inside a line begins with half of one.
    if (start > 0) lines.shift();
    const receipts: Receipt[] = [];
    let skipped = 0;
    for (const line of lines) {
      if (line.trim() === '') continue;
      const receipt = parse(line);
      if (receipt === undefined) skipped += 1;
      else receipts.push(receipt);
    }
    return { receipts, skipped, torn: text !== '' && !text.endsWith('\n') };
  } finally {
    await file.close();
  }
}

function parse(line: string): Receipt | undefined {
  try {
    return receiptSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function say(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  return `receipts of drains cannot be written to ${path} (${code}): mount a writable volume there or set DRAIN_LOG`;
}
