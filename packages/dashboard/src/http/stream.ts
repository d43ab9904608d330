import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** One part of a page that is sent again when it changes. */
export interface Piece {
  /** The id of its element. */
  readonly id: string;
  /** That element. */
  readonly html: string;
}

/** Sends the pieces of one kind of page to all who have it open. */
export interface Channel {
  /** Opens a stream of events. False when there are too many already. */
  readonly open: (request: IncomingMessage, response: ServerResponse, since: string | undefined) => boolean;
  /** Tells all pages of something in words, for those who listen instead of look. */
  readonly tell: (text: string) => void;
  /** Draws those parts that may have changed, and sends what did. Does nothing while nobody looks. */
  readonly refresh: (bots: ReadonlySet<string>) => void;
  /** Tells all pages the time, and so that they are in touch. */
  readonly tick: () => void;
}

/** How many may listen, over all channels. */
export interface StreamLimit {
  readonly max: number;
  readonly open: Set<ServerResponse>;
}

/** What a reader may be behind before it is let go, in bytes: it connects again and gets what it missed. */
const BACKLOG_LIMIT = 4 * 1024 * 1024;

interface Sent extends Piece {
  readonly version: number;
}

/**
 * Makes a channel. `draw` gives its pieces as they are now, all of them or those of some bots; `layout` names what there
 * is to be seen, so that a page of an earlier process notices that it shows something else.
 */
export function createChannel(
  limit: StreamLimit,
  draw: (bots?: ReadonlySet<string>) => readonly Piece[],
  layout: string,
  now: () => number = Date.now,
): Channel {
  // A page that was drawn by another process has other versions.
  const series = randomUUID().slice(0, 8);
  const sent = new Map<string, Sent>();
  const readers = new Set<ServerResponse>();
  let version = 0;

  const clock = (): string => `event: clock\ndata: ${JSON.stringify({ now: now(), layout })}\n\n`;
  const piece = ({ id, html, version: at }: Sent): string =>
    `event: piece\nid: ${series}-${at}\ndata: ${JSON.stringify({ id, html })}\n\n`;

  const redraw = (bots?: ReadonlySet<string>): string => {
    let events = '';
    for (const { id, html } of draw(bots)) {
      if (sent.get(id)?.html === html) continue;
      version += 1;
      const fresh: Sent = { id, html, version };
      sent.set(id, fresh);
      events += piece(fresh);
    }
    return events;
  };

  const send = (events: string): void => {
    if (events === '') return;
    // Once for all of them.
    const bytes = Buffer.from(events);
    for (const reader of readers) {
      if (reader.writableLength > BACKLOG_LIMIT) reader.destroy();
      else reader.write(bytes);
    }
  };

  return {
    open(request, response, since) {
      if (limit.open.size >= limit.max) return false;
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // For proxies that would collect before they pass on.
        'x-accel-buffering': 'no',
      });
      send(redraw());
      const [theirs, at = ''] = since?.split('-') ?? [];
      const missed = [...sent.values()].filter((one) => theirs !== series || one.version > Number(at));
      response.write(`retry: 2000\n\n${clock()}${missed.map(piece).join('')}`);
      limit.open.add(response);
      readers.add(response);
      const leave = (): void => {
        limit.open.delete(response);
        readers.delete(response);
      };
      request.on('close', leave);
      response.on('close', leave);
      response.on('error', leave);
      return true;
    },
    tell: (text) => send(`event: news\ndata: ${JSON.stringify({ text })}\n\n`),
    refresh(bots) {
      if (readers.size > 0) send(redraw(bots));
    },
    tick: () => send(clock()),
  };
}
