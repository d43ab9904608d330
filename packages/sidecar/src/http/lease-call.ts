import { EventEmitter } from 'node:events';
import type { Request, RequestHandler, Response } from 'express';
import type { Drainer } from '../drain/drain.ts';
import type { Hold } from '../drain/hold.ts';
import type { ReceiptLog } from '../drain/receipts.ts';
import type { Guard } from '../guard.ts';
import type { LeaseBook } from '../lease/leases.ts';

/** What the lease works with. */
export interface LeaseCallOptions {
  readonly leases: LeaseBook;
  readonly guard: Pick<Guard, 'live' | 'onChange'>;
  readonly drainer: Pick<Drainer, 'on' | 'current'>;
  readonly receipts: Pick<ReceiptLog, 'newest'>;
  readonly hold: Pick<Hold, 'current' | 'known' | 'on'>;
}

/** What a gate is told. */
interface News {
  readonly live: boolean;
  readonly boot: string | null;
  readonly because?: string;
  /** The newest drain of this boot that has ended. */
  readonly drained: { readonly boot: string; readonly drain_id: string; readonly state: string } | null;
  readonly hold: boolean;
}

/** The lease: what a gate asks for, and what it was told. */
export interface LeaseCall {
  /** `GET /livez` with `Botwarden-Boot`. */
  readonly handler: RequestHandler;
  /** Resolves when the gate that holds the lease has been told how this drain ended, after `ms` at the latest. */
  readonly told: (drainId: string, ms: number) => Promise<void>;
}

/** A gate is made to wait no longer than this, in seconds, whatever it prefers. */
const LONGEST_WAIT_S = 20;

/** Answers the gates. Each answer comes at once when there is news for that boot, and else after the wait it prefers. */
export function createLeaseCall(options: LeaseCallOptions): LeaseCall {
  const { leases, guard, drainer, receipts, hold } = options;
  const events = new EventEmitter<{ news: []; told: [] }>().setMaxListeners(0);
  /** What each boot was last told, as text. */
  const told = new Map<string, string>();
  const toldDrains = new Set<string>();
  const news = (): void => void events.emit('news');
  guard.onChange(news);
  drainer.on('change', ({ phase }) => phase === 'ended' && news());
  hold.on('change', news);
  leases.on('taken', news);
  leases.on('ended', news);

  function newsFor(asking: string): News {
    const { live, boot: meant, because } = guard.live();
    // Not before its receipt is on disk, or could not be written in time.
    const underWay = drainer.current()?.drain_id;
    const drained = receipts
      .newest()
      .find(({ boot, state, drain_id }) => boot === asking && state !== 'started' && drain_id !== underWay);
    return {
      // A verdict means one boot; it is none of another one's business.
      live: live || meant !== asking,
      boot: leases.holder() ?? asking,
      ...(because === null ? {} : { because }),
      drained:
        drained === undefined ? null : { boot: asking, drain_id: drained.drain_id, state: drained.state },
      hold: hold.current() !== null,
    };
  }

  /** Whether there is something that this boot has not been told. */
  function isNews(boot: string, { because: _, ...what }: News): boolean {
    const before = told.get(boot);
    if (before !== undefined) return before !== JSON.stringify(what);
    return !what.live || what.drained !== null || what.hold;
  }

  function answer(boot: string, what: News, response: Response): void {
    const { because: _, ...rest } = what;
    response.once('finish', () => {
      told.delete(boot);
      told.set(boot, JSON.stringify(rest));
      if (told.size > 100) told.delete(told.keys().next().value ?? '');
      if (what.drained === null) return;
      toldDrains.add(what.drained.drain_id);
      events.emit('told');
    });
    response.status(what.live ? 200 : 503).json(what);
  }

  return {
    async handler(request, response) {
      const boot = request.get('botwarden-boot') ?? '';
      let letGo = leases.ask(boot);
      response.once('close', () => {
        events.off('news', onNews);
        clearTimeout(timer);
        letGo?.(response.writableFinished);
      });
      let timer: NodeJS.Timeout | undefined;
      const onNews = (): void => {
        letGo ??= leases.ask(boot);
        const what = newsFor(boot);
        if (!isNews(boot, what) || response.headersSent) return;
        answer(boot, what, response);
      };
      // Only the very start has to wait for the disk.
      await hold.known;
      if (response.destroyed) return;
      const waitMs = preferredWaitMs(request);
      if (waitMs > 0) {
        events.on('news', onNews);
        timer = setTimeout(() => {
          if (!response.headersSent) answer(boot, newsFor(boot), response);
        }, waitMs);
        onNews();
      } else answer(boot, newsFor(boot), response);
    },
    async told(drainId, ms) {
      if (leases.holder() === null || toldDrains.has(drainId)) return;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          events.off('told', look);
          off();
          resolve();
        };
        const look = (): void => {
          if (toldDrains.has(drainId)) done();
        };
        const timer = setTimeout(done, Math.max(0, ms));
        // A gate that has gone need not be told.
        const off = leases.on('ended', done);
        events.on('told', look);
      });
    },
  };
}

/** The `wait` of the header `Prefer` (RFC 7240), in milliseconds; 0 without one. */
function preferredWaitMs(request: Request): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/i.exec(request.get('prefer') ?? '')?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds), LONGEST_WAIT_S) * 1_000;
}
