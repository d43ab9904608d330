import { type Bot, BotError, type BotErrorCode, type BotPositions } from '../../src/bot/bot.ts';
import { createLeases, type Leases } from '../../src/lease/leases.ts';

/** What the bot does with one close call. */
export type CloseBehaviour =
  | 'closes'
  | 'closes one'
  | 'accepts, closes later'
  | 'closes, then the connection breaks'
  | 'lies'
  | 'says nothing of counts'
  | '503'
  | '429 for a while'
  | '401'
  | 'malformed'
  | 'hangs'
  | 'hangs and ignores its signal';

/** What the bot does with one read of positions or health. */
export type ReadBehaviour = 'answers' | '500' | 'malformed' | 'hangs' | 'hangs and ignores its signal';

/** What happens to the bot, and when. */
export interface Mishap {
  readonly atMs: number;
  readonly what: 'restarts' | 'dies' | 'opens a position' | 'places an order' | 'fills an order';
}

/** A whole life of a bot. */
export interface Script {
  readonly open: number;
  readonly pending: number;
  readonly latencyMs: number;
  /** Whether /health names boot and trading. */
  readonly tells: boolean;
  readonly hasHealth: boolean;
  /** Whether reads of health go wrong as those of positions do. */
  readonly healthFails: boolean;
  readonly closes: readonly CloseBehaviour[];
  readonly reads: readonly ReadBehaviour[];
  readonly mishaps: readonly Mishap[];
  /** How long a restart takes. */
  readonly downMs: number;
  /** A gate holds the lease for each boot, and lets go so long after that boot ended, in milliseconds; null: no gate. */
  readonly gateLetsGoMs: number | null;
  /** The first boot is halted already. */
  readonly halted: boolean;
}

/** A bot without sockets, on whatever timers are installed, that knows the truth about itself. */
export interface SimulatedBot {
  readonly bot: Bot;
  /** Nothing is open, and the boot that runs is halted (or none runs). */
  readonly flat: () => boolean;
  /** The truth at the exchange. */
  readonly nothingOpen: () => boolean;
  /** The boots that opened something or placed an order while the drain ran, by the names of their gates. */
  readonly openedBy: ReadonlySet<string>;
  /** When it was last seen trading or with something open, as the guard would know. */
  readonly lastTraded: () => number | null;
  readonly instance: () => string;
  readonly leases: Leases;
  /** When each close call began, and under which key, on `performance.now()`. */
  readonly closeCalls: ReadonlyArray<{
    readonly at: number;
    readonly key: string;
    readonly overlaps: boolean;
  }>;
  /** Ends every timer. */
  readonly stop: () => void;
}

/** Behaviours are taken in order, and the last one stays. Only a bot that is not halted opens anything. */
export function simulateBot(script: Script): SimulatedBot {
  let { open, pending } = script;
  let boot = 1;
  let up = true;
  let { halted } = script;
  let closing = 0;
  // A gate asks before its bot begins; of two, the new one's lease ends that of the old one.
  const book = createLeases(script.gateLetsGoMs ?? 0);
  let letGo = script.gateLetsGoMs === null ? null : book.ask('gate-1');
  const openedBy = new Set<string>();
  const closes = [...script.closes];
  const reads = [...script.reads];
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const broken = new Set<(error: BotError) => void>();
  const closeCalls: Array<{ at: number; key: string; overlaps: boolean }> = [];

  const later = (ms: number, what: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      what();
    }, ms);
    timers.add(timer);
  };
  const next = <T>(list: T[], last: T): T => (list.length > 1 ? list.shift() : list[0]) ?? last;
  const goDown = (): void => {
    up = false;
    letGo?.(true);
    for (const breakOff of broken) breakOff(new BotError('BOT_RESET', 'the connection broke'));
    broken.clear();
  };

  for (const { atMs, what } of script.mishaps) {
    later(atMs, () => {
      if (what === 'dies') goDown();
      if (what === 'restarts' && up) {
        goDown();
        later(script.downMs, () => {
          boot += 1;
          if (script.gateLetsGoMs !== null) letGo = book.ask(`gate-${boot}`);
          up = true;
          halted = false;
        });
      }
      if ((what === 'opens a position' || what === 'places an order') && up && !halted) {
        openedBy.add(`gate-${boot}`);
        if (what === 'opens a position') open += 1;
        else pending += 1;
      }
      if (what === 'fills an order' && up && pending > 0) {
        pending -= 1;
        open += 1;
      }
    });
  }

  /** One call: takes its time, and breaks when the bot goes down or the caller gives up. */
  function call<T>(signal: AbortSignal, heeds: boolean, work: () => T | 'never'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!up) {
        later(1, () => reject(new BotError('BOT_REFUSED', 'refused')));
        return;
      }
      if (heeds) {
        broken.add(reject);
        signal.addEventListener('abort', () => reject(BotError.from(signal.reason, 'call')), { once: true });
      }
      later(script.latencyMs, () => {
        broken.delete(reject);
        if (!up || signal.aborted) return;
        try {
          const result = work();
          if (result !== 'never') resolve(result);
          else if (heeds) broken.add(reject);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  const fail = (code: BotErrorCode, status?: number, retryAfterMs?: number): never => {
    throw new BotError(code, `${code} ${status ?? ''}`, {
      status: status ?? null,
      retryAfterMs: retryAfterMs ?? null,
    });
  };
  const counts = (o = open, p = pending): BotPositions => ({
    open: o,
    pending: p,
    detail: { open: null, pending: null },
  });
  const closeAll = (): void => {
    halted = true;
    open = 0;
    pending = 0;
  };

  function read<T>(signal: AbortSignal, mayFail: boolean, answer: () => T): Promise<T> {
    const behaviour = mayFail ? next(reads, 'answers') : 'answers';
    return call(signal, behaviour !== 'hangs and ignores its signal', () => {
      if (behaviour === 'answers') return answer();
      if (behaviour === '500') return fail('BOT_STATUS', 500);
      if (behaviour === 'malformed') return fail('BOT_MALFORMED', 200);
      return 'never';
    });
  }

  const bot: Bot = {
    adapter: 'simulated',
    pace: { readEveryMs: 250, closeAgainAfterMs: 1_000 },
    positions: (signal) => read(signal, true, () => counts()),
    ...(script.hasHealth
      ? {
          health: (signal) =>
            read(signal, script.healthFails, () => ({
              status: 'ok',
              instance: script.tells ? `boot-${boot}` : null,
              trading: script.tells ? (halted ? 'halted' : 'running') : null,
              lastTickAt: null,
              database: null,
              dryRun: false,
            })),
        }
      : {}),
    close: async (request, signal) => {
      closeCalls.push({ at: performance.now(), key: request.drainId, overlaps: closing > 0 });
      closing += 1;
      const behaviour = next(closes, 'closes');
      try {
        return await call(signal, behaviour !== 'hangs and ignores its signal', () => {
          switch (behaviour) {
            case 'closes':
              closeAll();
              return { done: true, left: counts() };
            case 'closes one':
              halted = true;
              if (pending > 0) pending -= 1;
              else if (open > 0) open -= 1;
              return { done: true, left: counts() };
            case 'accepts, closes later': {
              halted = true;
              const asked = boot;
              later(700, () => {
                if (up && boot === asked) closeAll();
              });
              return { done: false, left: counts() };
            }
            case 'closes, then the connection breaks':
              closeAll();
              return fail('BOT_RESET');
            case 'lies':
              return { done: true, left: counts(0, 0) };
            case 'says nothing of counts':
              closeAll();
              return { done: true, left: null };
            case '503':
              return fail('BOT_STATUS', 503);
            case '429 for a while':
              return fail('BOT_STATUS', 429, 1_500);
            case '401':
              return fail('BOT_UNAUTHORISED', 401);
            case 'malformed':
              return fail('BOT_MALFORMED', 200);
            default:
              return 'never';
          }
        });
      } finally {
        closing -= 1;
      }
    },
    rehearse: () => Promise.reject(new BotError('BOT_STATUS', 'never rehearsed in a drain')),
    dispose: () => Promise.resolve(),
  };

  return {
    bot,
    closeCalls,
    flat: () => open === 0 && pending === 0 && (halted || !up),
    nothingOpen: () => open === 0 && pending === 0,
    openedBy,
    lastTraded: () => null,
    instance: () => `boot-${boot}`,
    leases: book,
    stop: () => {
      book.close();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
