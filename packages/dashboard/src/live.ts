import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { History } from './history/history.ts';
import { type Channel, createChannel, type Piece, type StreamLimit } from './http/stream.ts';
import { ATTENTION, attention } from './view/attention.ts';
import { pieceOf } from './view/bot.ts';
import { botPart, type Detail, livePage, SHOWN_WHOLE } from './view/page.ts';
import type { Bots, BotView } from './watch/bots.ts';
import type { TimelineEvent } from './watch/changes.ts';

/** The pages, and how they are kept up to date. */
export interface Live {
  /** The page of all bots, or of one; undefined when there is none of that name. */
  readonly page: { (): string; (bot: string): string | undefined };
  /** Opens a stream of events for a page. */
  readonly stream: (
    request: IncomingMessage,
    response: ServerResponse,
    of: { readonly bot: string | undefined; readonly since: string | undefined },
  ) => 'open' | 'unknown' | 'full';
  /** Something about a bot changed: it is drawn again soon. */
  readonly changed: (bot: string) => void;
  /** Something happened that is worth telling in words. */
  readonly news: (events: readonly TimelineEvent[]) => void;
  /** How many pages are open. */
  readonly open: () => number;
  /** Ends every stream. */
  readonly close: () => void;
}

/** Changes are gathered for this long before they are drawn, in milliseconds. */
const GATHER_MS = 250;
/** Every page hears something this often, in milliseconds, and so knows that it is in touch. */
const CLOCK_MS = 5_000;
const TOLD = new Set<TimelineEvent['kind']>([
  'verdict',
  'touch',
  'drain',
  'heal',
  'hold',
  'vanished',
  'alerts',
]);

/** Draws bots for all who look, once for each kind of page. */
export function createLive(
  bots: Bots,
  history: History,
  maxPages: number,
  now: () => number = Date.now,
): Live {
  const limit: StreamLimit = { max: maxPages, open: new Set() };
  const whole: Detail = bots.names.length <= SHOWN_WHOLE ? 'section' : 'card';
  const layout = createHash('sha256')
    .update(JSON.stringify([whole, bots.names]))
    .digest('hex')
    .slice(0, 12);
  const channels = new Map<string, Channel>();
  const changed = new Set<string>();
  let gathering: NodeJS.Timeout | undefined;

  const views = (): readonly BotView[] => bots.names.flatMap((name) => bots.view(name) ?? []);
  const drawing =
    (names: readonly string[], detail: Detail) =>
    (only?: ReadonlySet<string>): readonly Piece[] => {
      const drawn = names
        .filter((name) => only?.has(name) !== false)
        .flatMap((name) => bots.view(name) ?? []);
      const shown = detail === 'alone' ? drawn : views();
      return [
        ...(shown.length === 0 ? [] : [{ id: ATTENTION, html: attention(shown, history).toString() }]),
        ...drawn.map((view) => ({
          id: pieceOf(view.name),
          html: botPart(view, history, detail, now()).toString(),
        })),
      ];
    };
  const channelOf = (bot: string | undefined): Channel | undefined => {
    if (bot !== undefined && !bots.names.includes(bot)) return undefined;
    const key = bot ?? '';
    const known = channels.get(key);
    if (known !== undefined) return known;
    const channel = createChannel(
      limit,
      bot === undefined ? drawing(bots.names, whole) : drawing([bot], 'alone'),
      layout,
      now,
    );
    channels.set(key, channel);
    return channel;
  };

  const flush = (): void => {
    gathering = undefined;
    const ids = new Set(changed);
    changed.clear();
    for (const [bot, channel] of channels) if (bot === '' || ids.has(bot)) channel.refresh(ids);
  };
  const clock = setInterval(() => {
    for (const channel of channels.values()) channel.tick();
  }, CLOCK_MS);
  clock.unref();

  function page(): string;
  function page(bot: string): string | undefined;
  function page(bot?: string): string | undefined {
    if (bot === undefined)
      return livePage({ views: views(), history, detail: whole, events: '/events', layout, now: now() });
    const view = bots.view(bot);
    if (view === undefined) return undefined;
    return livePage({
      views: [view],
      history,
      detail: 'alone',
      events: `/events?bot=${encodeURIComponent(bot)}`,
      layout,
      now: now(),
    });
  }

  return {
    page,
    stream(request, response, { bot, since }) {
      const channel = channelOf(bot);
      if (channel === undefined) return 'unknown';
      return channel.open(request, response, since) ? 'open' : 'full';
    },
    changed(bot) {
      changed.add(bot);
      gathering ??= setTimeout(flush, GATHER_MS).unref();
    },
    news(events) {
      for (const { bot, kind, text } of events) {
        if (!TOLD.has(kind)) continue;
        channels.get('')?.tell(`${bot}: ${text}`);
        channels.get(bot)?.tell(text);
      }
    },
    open: () => limit.open.size,
    close() {
      clearInterval(clock);
      clearTimeout(gathering);
      for (const response of limit.open) response.end();
    },
  };
}
